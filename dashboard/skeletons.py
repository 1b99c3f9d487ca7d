"""A past call as a command for a terminal, as far as its receipt knows it: what was said to the model is not kept."""

import json
import shlex
from typing import Any

from django.conf import settings

# What stands for that which the caller has to fill in.
BLANK = "…"
# The rest of the body, by endpoint.
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": BLANK}]},
    "/v1/responses": {"input": BLANK},
    "/v1/embeddings": {"input": BLANK},
    "/v1/images/generations": {"prompt": BLANK},
    "/v1/video/generations": {"prompt": BLANK},
    "/v1/videos": {"prompt": BLANK},
}
# Those that take a form, and its other fields.
FORMS: dict[str, dict[str, str]] = {
    "/v1/audio/transcriptions": {"file": f"@{BLANK}"},
    "/v1/images/edits": {"image": f"@{BLANK}", "prompt": BLANK},
}


def curl_of(endpoint: str, model: str) -> str:
    """The call in several lines; empty for an endpoint that is not called in this way."""
    head = [f"curl {shlex.quote(settings.PUBLIC_URL + endpoint)}", '-H "Authorization: Bearer $ARKROUTE_API_KEY"']
    if form := FORMS.get(endpoint):
        fields = {"model": model} | form
        return _lines([*head, *(f"-F {shlex.quote(f'{name}={value}')}" for name, value in fields.items())])
    if endpoint not in BODIES:
        return ""
    body = json.dumps({"model": model} | BODIES[endpoint], ensure_ascii=False)
    return _lines([*head, '-H "Content-Type: application/json"', f"-d {shlex.quote(body)}"])


def _lines(parts: list[str]) -> str:
    return " \\\n  ".join(parts)
