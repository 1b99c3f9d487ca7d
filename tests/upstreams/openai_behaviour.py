"""How the fake of OpenAI answers, and how it refuses."""

from dataclasses import dataclass

from tests.upstreams import server
from tests.upstreams.server import Faults


@dataclass
class Behaviour(Faults):
    """How to answer. The defaults are those of a provider in good health."""

    # A chat's answer: `reply` in pieces of one word.
    reply: str = "one two three four five six seven eight nine ten"
    finish_reason: str = "stop"
    tool_call: bool = False  # calls the first tool offered, its arguments in fragments
    usage: bool = True  # in a stream: only if it was asked for
    prompt_tokens: int = 11
    completion_tokens: int = 10
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0  # of the completion's
    filtered: bool = False  # the answer has no words, and ends in `content_filter`
    bad_usage: bool = False  # counts that cannot be
    # Embeddings: the dimensions of a vector; base64 although floats were asked for; one vector too few.
    dimensions: int = 8
    base64: bool = False
    drop_vector: bool = False
    # Transcriptions: `reply` in segments of two words, a second each. How a stream of them looks: as `engine`,
    # `openai`, `speaches`, `speaches_json`, `speaches_text`, `vllm`, or `whole` where the server knows no streams.
    shape: str = "engine"
    audio_tokens: bool = False  # its usage counts tokens
    # Images: how many of those asked for come; a stream's last picture is missing.
    most_images: int = 10
    # A response's end: `failed`, its error with `code`; or `error`, an event instead of one.
    end: str = ""
    messages: int = 1  # how many a response holds: `reply` in each
    error_in_200: bool = False
    no_done: bool = False  # ends without [DONE]
    empty: bool = False  # nothing but [DONE]
    no_role: bool = False  # no chunk names it, as with llama.cpp when the first token is a part of a character
    usage_on_chunks: bool = False  # on the last chunk with a choice, too


class Refusal(server.Refusal):
    """A request that the server answers with an error of its own."""

    def __init__(
        self, message: str, *, status: int = 400, code: str = "invalid_value", param: str | None = None
    ) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        super().__init__(status, {"error": error})
