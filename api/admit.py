"""The door: whose key is this, and may it make one more request now? Shared by both lanes."""

from msgspec import Struct

from accounts.keys import Caller, InvalidApiKey, find_key
from gateway.limits import Admission
from gateway.limits import admit as admit_within_limits


class Admitted(Struct):
    """A caller inside the door. `admission.release()` lets the next one in; its numbers go into the headers."""

    caller: Caller
    admission: Admission


async def admit(authorization: str | None, *, read: bool = False) -> Admitted:
    """The caller behind an `Authorization` header, counted against the key's limits.

    Raises `MissingApiKey`, `InvalidApiKey`, `RateLimitExceeded` or `ConcurrencyExceeded`.
    """
    caller = await authenticate(authorization)
    return Admitted(caller=caller, admission=await admit_within_limits(caller, read=read))


async def authenticate(authorization: str | None) -> Caller:
    """The caller behind an `Authorization` header. Raises `MissingApiKey` or `InvalidApiKey`."""
    if not authorization:
        return await find_key("")
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise InvalidApiKey("The `Authorization` header must read `Bearer ark-…`.")
    return await find_key(secret.strip())
