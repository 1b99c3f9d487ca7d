"""The two clients. Their endpoints are in `arkroute.resources`."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

import httpx

from arkroute.http.configuration import Configuration, Timeout, read_configuration
from arkroute.http.exchange import AsyncExchange, Exchange
from arkroute.published import AsyncPublishedMethods, PublishedMethods
from arkroute.resources.account import AccountResource, AsyncAccountResource
from arkroute.resources.audio import AsyncAudio, Audio
from arkroute.resources.chat import AsyncChat, Chat
from arkroute.resources.embeddings import AsyncEmbeddings, Embeddings
from arkroute.resources.images import AsyncImages, Images
from arkroute.resources.models import AsyncModels, Models
from arkroute.resources.quotes import AsyncQuotes, Quotes
from arkroute.resources.receipts import AsyncReceipts, Receipts
from arkroute.resources.sessions import ArkSession, AsyncArkSession, AsyncSessions, Sessions
from arkroute.resources.videos import AsyncVideos, Videos

# As many at once as a key may send by default; connections that rest are kept for a while.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=30)


class ArkRoute(PublishedMethods):
    """A client for threads; one serves many of them.

    `api_key` and `base_url` (which ends in /v1) come from the environment's ARKROUTE_API_KEY and ARKROUTE_BASE_URL
    where they are left out. `timeout` is a number of seconds, or an `httpx.Timeout` that tells the phases apart: by
    default 5 to connect and 600 for an answer. `max_retries` further tries follow a lost connection, 408, 409, 429 and
    500 and above. `headers` go with every request. A client that is given an `http_client` leaves closing it to its
    owner.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: Timeout | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        self._build(read_configuration(api_key, base_url, timeout, max_retries, headers), http_client)

    def _build(self, configuration: Configuration, http_client: httpx.Client | None) -> None:
        self._is_owner = http_client is None
        client = http_client or httpx.Client(limits=LIMITS)
        self._exchange = exchange = Exchange(configuration, client)
        self.images = Images(exchange)
        self.videos = Videos(exchange)
        self.chat = Chat(exchange)
        self.embeddings = Embeddings(exchange)
        self.audio = Audio(exchange)
        self.models = Models(exchange)
        self.account = AccountResource(exchange)
        self.sessions = Sessions(exchange)
        self.quotes = Quotes(exchange)
        self.receipts = Receipts(exchange)

    @property
    def api_key(self) -> str | None:
        return self._exchange.configuration.api_key

    @property
    def base_url(self) -> str:
        return self._exchange.configuration.base_url

    @property
    def max_retries(self) -> int:
        return self._exchange.configuration.max_retries

    @property
    def timeout(self) -> httpx.Timeout:
        return self._exchange.configuration.timeout

    def with_options(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: Timeout | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ArkRoute:
        """The same client but for what is named here; both use the same connections."""
        changed = self._exchange.configuration.changed(
            api_key=api_key, base_url=base_url, timeout=timeout, max_retries=max_retries, headers=headers
        )
        other = object.__new__(ArkRoute)
        other._build(changed, self._exchange.client)
        return other

    def session(self, session_id: str | None = None, *, stateful: bool = False) -> ArkSession:
        """Calls that stay on the server that holds the model's state; with `session_id` those of an earlier session.

        With `stateful` the gateway keeps the conversation as well: each turn sends only what is new.
        """
        return ArkSession(self._exchange, session_id, stateful=stateful)

    def close(self) -> None:
        """Closes the connections, unless the HTTP client is somebody else's."""
        if self._is_owner:
            self._exchange.client.close()

    def __enter__(self) -> ArkRoute:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncArkRoute(AsyncPublishedMethods):
    """As `ArkRoute`, for asyncio: its methods are awaited, its streams are read with `async for`."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: Timeout | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        self._build(read_configuration(api_key, base_url, timeout, max_retries, headers), http_client)

    def _build(self, configuration: Configuration, http_client: httpx.AsyncClient | None) -> None:
        self._is_owner = http_client is None
        client = http_client or httpx.AsyncClient(limits=LIMITS)
        self._exchange = exchange = AsyncExchange(configuration, client)
        self.images = AsyncImages(exchange)
        self.videos = AsyncVideos(exchange)
        self.chat = AsyncChat(exchange)
        self.embeddings = AsyncEmbeddings(exchange)
        self.audio = AsyncAudio(exchange)
        self.models = AsyncModels(exchange)
        self.account = AsyncAccountResource(exchange)
        self.sessions = AsyncSessions(exchange)
        self.quotes = AsyncQuotes(exchange)
        self.receipts = AsyncReceipts(exchange)

    @property
    def api_key(self) -> str | None:
        return self._exchange.configuration.api_key

    @property
    def base_url(self) -> str:
        return self._exchange.configuration.base_url

    @property
    def max_retries(self) -> int:
        return self._exchange.configuration.max_retries

    @property
    def timeout(self) -> httpx.Timeout:
        return self._exchange.configuration.timeout

    def with_options(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: Timeout | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncArkRoute:
        """As `ArkRoute.with_options`."""
        changed = self._exchange.configuration.changed(
            api_key=api_key, base_url=base_url, timeout=timeout, max_retries=max_retries, headers=headers
        )
        other = object.__new__(AsyncArkRoute)
        other._build(changed, self._exchange.client)
        return other

    def session(self, session_id: str | None = None, *, stateful: bool = False) -> AsyncArkSession:
        """As `ArkRoute.session`."""
        return AsyncArkSession(self._exchange, session_id, stateful=stateful)

    async def close(self) -> None:
        """Closes the connections, unless the HTTP client is somebody else's."""
        if self._is_owner:
            await self._exchange.client.aclose()

    async def __aenter__(self) -> AsyncArkRoute:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
