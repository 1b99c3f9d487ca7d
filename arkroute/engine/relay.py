"""An answer of llama.cpp's, passed on piece by piece as it arrives."""

from arkroute.engine.exchange import Exchange
from gateway.providers.http import Response

_KEPT = (b"content-type", b"content-length")


async def relay(exchange: Exchange, response: Response) -> None:
    """Passes on status and body, errors included. A client that leaves cancels this, which closes the connection."""
    try:
        kept = [(name, response.headers[name]) for name in _KEPT if name in response.headers]
        await exchange.start(response.status, kept)
        async for piece in response:
            await exchange.send(piece, more=True)
        await exchange.send(b"", more=False)
    finally:
        response.close()
