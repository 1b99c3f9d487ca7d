"""The parameters of OpenAI's endpoints, by which the catalogue says what a model lacks.

Source: the API reference, https://platform.openai.com/docs/api-reference, of November 2026.
"""

# A model may lack what is optional. What is basic makes the request, or is seen to by the gateway for every model.
CHAT_BASIC = ("messages", "model", "max_completion_tokens", "max_tokens", "stream", "stream_options")
CHAT_OPTIONAL = (
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
)
# Fields of llama.cpp's, vLLM's and SGLang's own that decide what the gateway has decided: how much is written, how
# often, where, and before whom. They would pass the limits and the price by. A model of one's own servers ignores them.
SERVERS_OWN = (
    "best_of",
    "cache_prompt",
    "id_slot",
    "kv_transfer_params",
    "n_cmpl",
    "n_predict",
    "priority",
    "use_beam_search",
)
# Fields of the vendors' own that they bill apart from the tokens (Alibaba's searches), or that reach into the account
# that the operator has there (Google's cached contents).
VENDORS_OWN = ("enable_search", "extra_body", "google", "search_options")
# What a message's content may hold besides text.
CHAT_PARTS = ("image_url", "input_audio", "file", "refusal")
EMBEDDING_BASIC = ("input", "model", "encoding_format")
EMBEDDING_OPTIONAL = ("dimensions", "user")
TRANSCRIPTION_BASIC = ("file", "model")
TRANSCRIPTION_OPTIONAL = (
    "chunking_strategy",
    "include",
    "keywords",
    "known_speaker_names",
    "known_speaker_references",
    "language",
    "languages",
    "prompt",
    "response_format",
    "stream",
    "temperature",
    "timestamp_granularities",
)


def check_lists(refuses: tuple[str, ...], ignores: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Raises ValueError where the lists name what is not optional, or something twice."""
    for field, names in (("refuses", refuses), ("ignores", ignores)):
        for name in names:
            if name not in optional:
                raise ValueError(f"`{field}` names `{name}`, which is no parameter that a model may lack")
    names = (*refuses, *ignores)
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"`{twice[0]}` stands twice in `refuses` and `ignores`")
