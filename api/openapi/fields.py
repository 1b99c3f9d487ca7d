"""The names of requests in the document, and their fields in words. What they may hold, `gateway.requests` says."""

from msgspec import Struct

from gateway.requests import chat, embeddings, images, responses, transcriptions, videos


class Described(Struct, frozen=True):
    name: str
    description: str = ""
    fields: dict[str, str] = {}


_MODEL = "The model's id, or an alias."
_USER = "A name of your own for the person who asks."
_ONE_OR_MORE = "base64, a data URI, or an https address"

DESCRIBED: dict[type[Struct], Described] = {
    chat.ChatBody: Described(
        "ChatCompletionRequest",
        "Fields of OpenAI's that do not stand here are passed on.",
        {
            "model": _MODEL,
            "messages": "The conversation so far, the oldest message first.",
            "stream": "Sends the answer piece by piece, as server-sent events.",
            "stream_options": "Only with `stream`.",
            "max_tokens": "The most tokens to write; the older name.",
            "max_completion_tokens": "The most tokens to write.",
            "n": "How many answers to write.",
            "temperature": "Higher is more varied.",
            "top_p": "Chooses among the likeliest tokens of this share only.",
            "frequency_penalty": "Above 0 makes repetition less likely.",
            "presence_penalty": "Above 0 makes new subjects likelier.",
            "stop": "Texts at which the answer ends.",
            "seed": "The same seed tends to give the same answer.",
            "logprobs": "Tells how likely each token was.",
            "top_logprobs": "How many other tokens to tell at each place; with `logprobs`.",
            "logit_bias": "Makes tokens, by their ids, likelier or less likely.",
            "response_format": "Text, or JSON that may have to follow a schema.",
            "tools": "Functions that the model may call.",
            "tool_choice": "`none`, `auto`, `required`, or the tool that must be called.",
            "parallel_tool_calls": "Whether several tools may be called at once.",
            "user": _USER,
            "ark_stateful": (
                "Keeps the conversation here, so that you send only what is new: `true` for the session of the cookie, "
                "or a UUID of your own. For models on the operator's own servers."
            ),
        },
    ),
    chat.Message: Described(
        "ChatMessage",
        "A message of the conversation.",
        {
            "role": "Who speaks.",
            "content": "A text, or a list of parts.",
            "name": "Tells several speakers of a role apart.",
            "tool_calls": "The tools that the model called.",
            "tool_call_id": "Of a tool's message: the call that it answers.",
        },
    ),
    chat.Part: Described(
        "ChatPart",
        "A piece of a message's content.",
        {
            "type": "Which of the other fields is there.",
            "text": "With the type `text`.",
            "image_url": "With the type `image_url`.",
            "input_audio": "With the type `input_audio`: `data` in base64, and its `format`.",
            "file": "With the type `file`: `file_data` and `filename`.",
            "refusal": "With the type `refusal`.",
        },
    ),
    chat.ImageURL: Described("ChatImageURL", "A picture.", {"url": "An https address, or a data URI."}),
    chat.StreamOptions: Described(
        "ChatStreamOptions",
        "What a stream tells besides.",
        {"include_usage": "Ends the stream with a chunk that tells the usage, and the credits."},
    ),
    chat.ResponseFormat: Described(
        "ChatResponseFormat",
        "What the answer has to be.",
        {"type": "Text, any JSON object, or one that follows a schema.", "json_schema": "Its `name` and `schema`."},
    ),
    chat.Tool: Described(
        "ChatTool",
        "Something that the model may call.",
        {
            "type": "Which of the other fields is there.",
            "function": "`name`, `description`, and `parameters` as a JSON Schema.",
            "custom": "`name`, `description`, and the `format` of its input.",
        },
    ),
    responses.ResponseBody: Described(
        "ResponseRequest",
        "Fields of OpenAI's that do not stand here are passed on.",
        {
            "model": _MODEL,
            "input": "A text, or the items of the conversation so far.",
            "instructions": "What the model is told before all else.",
            "stream": "Sends the response piece by piece, as server-sent events.",
            "background": "Not offered: `true` is a 422.",
            "max_output_tokens": "The most tokens to write.",
            "temperature": "Higher is more varied.",
            "top_p": "Chooses among the likeliest tokens of this share only.",
            "top_logprobs": "How many other tokens to tell at each place.",
            "tools": "What the model may call.",
            "tool_choice": "`none`, `auto`, `required`, or the tool that must be called.",
            "parallel_tool_calls": "Whether several tools may be called at once.",
            "text": "What the text has to be.",
            "reasoning": "How much the model thinks.",
            "include": "What to tell besides, such as `message.output_text.logprobs`.",
            "metadata": "Notes of your own, which the response repeats.",
            "truncation": "What to do where the input is too long. Only OpenAI's models heed it.",
            "user": _USER,
        },
    ),
    responses.Text: Described(
        "ResponseText",
        "What the text has to be.",
        {"format": "Text, or JSON that may have to follow a schema.", "verbosity": "`low`, `medium` or `high`."},
    ),
    responses.Format: Described(
        "ResponseTextFormat",
        "What the text has to be.",
        {
            "type": "Text, any JSON object, or one that follows a schema.",
            "name": "The schema's name.",
            "schema": "A JSON Schema.",
        },
    ),
    responses.Reasoning: Described(
        "ResponseReasoning", "How the model thinks.", {"effort": "How much: `low`, `medium`, `high`, …"}
    ),
    embeddings.EmbeddingBody: Described(
        "EmbeddingRequest",
        "",
        {
            "model": _MODEL,
            "input": "A text, a list of texts, an array of token ids, or a list of such arrays.",
            "encoding_format": "Numbers, or base64 of little-endian float32.",
            "dimensions": "The vectors' length, where the model can shorten them.",
            "user": _USER,
        },
    ),
    images.ImageBody: Described(
        "ImageRequest",
        "",
        {
            "model": _MODEL,
            "prompt": "What the picture shows, or what is to be different.",
            "n": "How many pictures. Each costs the price of one.",
            "size": "`<width>x<height>` in pixels, a class such as `2K`, or `auto`.",
            "image": f"Reference pictures: {_ONE_OR_MORE}.",
            "images": f"The same in OpenAI's words: {_ONE_OR_MORE}.",
            "mask": "A PNG of the first picture's size, transparent where it is to change.",
            "response_format": "A link that expires (the default), or the picture itself in base64.",
            "quality": "Where the model has qualities. A lower one costs less.",
            "output_format": "`png`, `jpeg` or `webp`, where the model has several.",
            "stream": "Sends the picture in base64 as a server-sent event, and sketches of it before.",
            "partial_images": "How many sketches to send, if the model shows any; with `stream`.",
            "user": _USER,
        },
    ),
    images.ImageReference: Described(
        "ImageReference",
        "A picture, as OpenAI's JSON names it.",
        {"image_url": "An https address, or a data URI.", "file_id": "Files are not kept here: this is a 422."},
    ),
    transcriptions.TranscriptionBody: Described(
        "TranscriptionRequest",
        "",
        {
            "model": _MODEL,
            "language": "Of the speech, as ISO 639-1: `en`.",
            "prompt": "Names and words to expect.",
            "response_format": "`json` (the default), `verbose_json`, `text`, `srt` or `vtt`: which, the model says.",
            "temperature": "Higher is more varied.",
            "timestamp_granularities": "Of what to tell the times; with `verbose_json`.",
            "stream": "Sends the transcript as it is heard; with `json`.",
        },
    ),
    videos.VideoBody: Described(
        "VideoGenerationRequest",
        "",
        {
            "model": _MODEL,
            "prompt": "What happens in the clip.",
            "image": f"The first frame: {_ONE_OR_MORE}.",
            "last_frame": f"The picture that the clip ends with: {_ONE_OR_MORE}.",
            "duration": "Seconds. The model says which.",
            "aspect_ratio": "`16:9`, `9:16`, `1:1`, … With a first frame the clip has its shape, unless one is named.",
            "resolution": "`720p`, `1080p`, … The price grows with it.",
            "audio": "With sound, where the model makes any.",
            "webhook_url": "An https address that is told of the video's end.",
        },
    ),
    videos.OpenAIVideoBody: Described(
        "VideoRequest",
        "",
        {
            "prompt": "What happens in the clip.",
            "model": _MODEL,
            "seconds": "The clip's length. The model says which.",
            "size": "`<width>x<height>` in pixels.",
            "input_reference": f"The first frame: {_ONE_OR_MORE}.",
            "last_frame": f"The picture that the clip ends with: {_ONE_OR_MORE}.",
            "aspect_ratio": "`16:9`, `9:16`, `1:1`, …, where no `size` says it.",
            "resolution": "`720p`, `1080p`, … The price grows with it.",
            "audio": "With sound, where the model makes any.",
            "webhook_url": "An https address that is told of the video's end.",
        },
    ),
    videos.PictureReference: Described(
        "VideoPictureReference",
        "A picture, as OpenAI's JSON names it.",
        {"image_url": "An https address, or a data URI.", "file_id": "Files are not kept here: this is a 422."},
    ),
}
