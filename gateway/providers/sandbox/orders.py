"""Prompt words that a tester gives the sandbox: `sandbox:fail=<code>` and `sandbox:delay=<seconds>`."""

import asyncio
import re

from accounts.keys import InvalidApiKey, KeyRejected, MissingApiKey
from gateway.errors import GatewayError, InvalidValue, LimitError, ProviderError, ProviderFault, RequestError

FAIL = re.compile(r"\bsandbox:fail=([A-Za-z_]+)")
DELAY = re.compile(r"\bsandbox:delay=([0-9]{1,6}(?:\.[0-9]{1,6})?)")
LONGEST_DELAY = 60.0
# Seconds that an invented limit asks a client to wait.
RETRY_AFTER = 1.0

# What a provider can cause comes as a provider's error, so that routing and retries are exercised as well.
PROVIDER_FAULTS = {
    "content_policy_violation": ProviderFault.CONTENT_POLICY,
    "context_length_exceeded": ProviderFault.CONTEXT_LENGTH,
    "provider_error": ProviderFault.BROKEN,
    "provider_timeout": ProviderFault.TIMEOUT,
    "overloaded": ProviderFault.OVERLOADED,
}
KEY_ERRORS: dict[str, type[KeyRejected]] = {kind.code: kind for kind in (MissingApiKey, InvalidApiKey)}

# Codes of answers that no class stands for: other parts of the API give them, about things that the sandbox lacks.
INVENTED = (
    "idempotency_in_progress",
    "idempotency_key_reused",
    "key_not_allowed",
    "method_not_allowed",
    "not_cancellable",
    "receipt_not_found",
    "session_busy",
    "session_not_found",
    "task_not_found",
    "task_not_ready",
    "unknown_url",
)


class InventedError(GatewayError):
    """An error with one of the codes in `INVENTED`."""

    code: str  # type: ignore[misc]  # of the instance here, of the class elsewhere

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def obey(text: str, param: str) -> None:
    """Waits, then fails, if the text says so. `param` names the field that the text came in.

    Raises the `ProviderError`, the `GatewayError` or the `KeyRejected` of the code; `InvalidValue` for an unknown one.
    """
    if seconds := delay_in(text):
        await asyncio.sleep(seconds)
    fail_if_told(text, param)


def delay_in(text: str) -> float:
    """The seconds that the text says to wait."""
    wait = DELAY.search(text)
    return min(float(wait[1]), LONGEST_DELAY) if wait else 0.0


def fail_if_told(text: str, param: str) -> None:
    """Fails as `obey` does, at once."""
    if failure := FAIL.search(text):
        raise _error(failure[1].lower(), param)


def error_codes() -> list[str]:
    """All codes that `sandbox:fail=` takes."""
    return sorted(PROVIDER_FAULTS.keys() | KEY_ERRORS.keys() | _errors().keys() | set(INVENTED))


def _error(code: str, param: str) -> ProviderError | GatewayError | KeyRejected:
    message = f"The sandbox failed with `{code}` because the prompt asked for it. Remove `sandbox:fail={code}`."
    if code in PROVIDER_FAULTS:
        return ProviderError(PROVIDER_FAULTS[code], message)
    if code in KEY_ERRORS:
        return KEY_ERRORS[code](message)
    kind = _errors().get(code)
    if kind is None and code in INVENTED:
        return InventedError(code, message)
    if kind is None:
        allowed = ", ".join(f"`{one}`" for one in error_codes())
        return InvalidValue(f"`sandbox:fail=` takes one of {allowed}; not `{code[:60]}`.", param=param)
    return kind(
        message,
        param=param if issubclass(kind, RequestError) else None,
        retry_after=RETRY_AFTER if issubclass(kind, LimitError) else None,
    )


def _errors() -> dict[str, type[GatewayError]]:
    """Each code's own class: of several that share one, the deepest in the tree."""
    found: dict[str, type[GatewayError]] = {}
    level: list[type[GatewayError]] = [GatewayError]
    while level:
        for kind in level:
            if "code" in vars(kind):
                found[kind.code] = kind
        level = [child for kind in level for child in kind.__subclasses__()]
    return found
