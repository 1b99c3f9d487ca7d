"""What a chat's errors and notes call a parameter, in the words of the request that was sent."""

import re
from collections.abc import Sequence

from gateway.errors import RequestError

_NAMES = {
    "logprobs": "include",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
_PLACE = re.compile(r"(messages|tools)\[(\d+)\](.*)", re.DOTALL)
_PICTURE = re.compile(r"\.image_url(\.url)?$")


def rename_param(param: str, message_paths: Sequence[str], tool_paths: Sequence[str]) -> str:
    """`param` of a chat as the client named it."""
    if place := _PLACE.fullmatch(param):
        paths = message_paths if place[1] == "messages" else tool_paths
        index = int(place[2])
        if index < len(paths):
            return paths[index] + _PICTURE.sub(".image_url", place[3])
    return _NAMES.get(param, param)


def rename_error(error: RequestError, message_paths: Sequence[str], tool_paths: Sequence[str]) -> RequestError:
    """The same error about the field that the client sent."""
    if error.param is None:
        return error
    param = rename_param(error.param, message_paths, tool_paths)
    message = error.message.replace(f"`{error.param}`", f"`{param}`")
    return type(error)(message, param=param, retry_after=error.retry_after)
