"""Which models a key may ask for."""

from django.conf import settings

from accounts.callers import Caller
from gateway.call import Call
from gateway.catalog import Model, get_model
from gateway.errors import KeyNotAllowed

NAMED_AT_MOST = 5


def find_model(call: Call, name: str) -> Model:
    """The model that `name`, an id or an alias, stands for. Flows ask here, so that no key gets past its list.

    Raises `ModelNotFound`, and `KeyNotAllowed` where neither the model nor its type is on the key's list. A fallback
    that answers in the model's place need not be: it is the model asked for that the client names and pays.
    """
    model = get_model(name)
    allowed = call.caller.allowed_models
    if allowed and model.id not in allowed and model.type not in allowed:
        raise _not_allowed(call.caller, name)
    return model


def _not_allowed(caller: Caller, name: str) -> KeyNotAllowed:
    names = sorted(caller.allowed_models)
    shown = ", ".join(f"`{one}`" for one in names[:NAMED_AT_MOST])
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return KeyNotAllowed(
        f"The key `{caller.key_prefix}…` may not use `{name[:100]}`, but {shown}{more}. Use another key, or allow the "
        f"model at {settings.PUBLIC_URL}/keys/.",
        param="model",
    )
