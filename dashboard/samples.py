"""One call of a model as a program makes it: with curl, and with OpenAI's clients for Python and JavaScript."""

from typing import Any

from django.conf import settings
from msgspec import Struct

from dashboard.literals import literal, name_of
from dashboard.sample_pictures import (
    JAVASCRIPT_READER,
    PYTHON_READER,
    name_files,
    read_in_javascript,
    read_in_python,
    read_in_shell,
)
from gateway.catalog.openai_parameters import (
    CHAT_BASIC,
    CHAT_OPTIONAL,
    EMBEDDING_BASIC,
    EMBEDDING_OPTIONAL,
    TRANSCRIPTION_BASIC,
    TRANSCRIPTION_OPTIONAL,
)
from gateway.catalog.schema import Model, ModelType

# Seconds between two looks at a video.
PAUSE = 5
RECORDING = "speech.mp3"
PATHS: dict[ModelType, str] = {
    "chat": "/chat/completions",
    "embedding": "/embeddings",
    "transcription": "/audio/transcriptions",
    "image": "/images/generations",
    "video": "/video/generations",
}
# The method of OpenAI's clients, and the arguments that it has in Python; others go into `extra_body`.
METHODS: dict[ModelType, tuple[str, tuple[str, ...]]] = {
    "chat": ("chat.completions.create", (*CHAT_BASIC, *CHAT_OPTIONAL)),
    "embedding": ("embeddings.create", (*EMBEDDING_BASIC, *EMBEDDING_OPTIONAL)),
    "transcription": ("audio.transcriptions.create", (*TRANSCRIPTION_BASIC, *TRANSCRIPTION_OPTIONAL)),
    "image": (
        "images.generate",
        ("model", "prompt", "n", "size", "quality", "output_format", "response_format", "stream", "partial_images"),
    ),
    "video": ("videos.create_and_poll", ("model", "prompt", "seconds", "size", "input_reference")),
}
RAW_TRANSCRIPTS = ("text", "srt", "vtt")
# A word for addresses and ids, and the language's name.
LANGUAGES = (("curl", "curl"), ("python", "Python"), ("javascript", "JavaScript"))


class Sample(Struct, frozen=True):
    """`code` as a reader pastes it. `language` is a word for addresses and ids, `lexer` Pygments' name."""

    language: str
    label: str
    code: str
    lexer: str


def samples(model: Model, *, key: str = "YOUR_API_KEY", body: dict[str, Any] | None = None) -> list[Sample]:
    """The same call of `model` with curl, Python and JavaScript.

    `body` is what the endpoint takes, without the model; a simple call if it is not given. Of a transcription's the
    file is left out: programs read it from the disk. So they do with pictures in base64.
    """
    call = {**(example_body(model) if body is None else body), "model": model.id}
    call = {"model": call.pop("model"), **call}
    return [
        Sample("curl", "curl", _curl(model.type, call, key), "bash"),
        Sample("python", "Python", _python(model.type, call, key), "python"),
        Sample("javascript", "JavaScript", _javascript(model.type, call, key), "javascript"),
    ]


def example_body(model: Model) -> dict[str, Any]:
    """A short call of `model` that costs its usual price."""
    if model.chat is not None:
        return {"messages": [{"role": "user", "content": "Why is the sky blue?"}], "max_tokens": 200}
    if model.embedding is not None:
        return {"input": "A lighthouse at dawn"}
    if model.transcription is not None:
        return {}
    if model.image is not None:
        return {"prompt": "a lighthouse at dawn, watercolour", "size": "1024x1024"}
    assert model.video is not None, "the catalogue gives each model the spec of its type"
    first = {} if model.video.text_input else {"image": "https://example.com/lighthouse.png"}
    return {"prompt": "waves roll past a lighthouse at dawn", **first, "duration": model.video.default_duration}


def _curl(kind: ModelType, call: dict[str, Any], key: str) -> str:
    api = f"{settings.PUBLIC_URL}/v1"
    post = f'curl {api}{PATHS[kind]} \\\n  -H "Authorization: Bearer {key}" \\\n'
    if kind == "transcription":
        form = [f"  -F {_shell(f'{name}={value}')}" for name, value in _form_fields(call)]
        return post + " \\\n".join([*form, f'  -F "file=@{RECORDING}"'])
    post += f'  -H "Content-Type: application/json" \\\n  -d {_curl_body(call)}'
    if kind != "video":
        return post
    return (
        f"{post}\n\n"
        "# The answer names the task. Look until it has ended; `video_url` is the clip.\n"
        f'curl {api}/video/status/$TASK_ID \\\n  -H "Authorization: Bearer {key}"'
    )


def _curl_body(call: dict[str, Any]) -> str:
    call, has_pictures = name_files(call)
    if has_pictures:
        # By the standard input: pictures are longer than a command may be.
        return f"@- <<JSON\n{read_in_shell(literal(call, 'json'))}\nJSON"
    data = literal(call, "json", indent=2).replace("'", "'\\''")
    return f"'{data}'"


def _form_fields(call: dict[str, Any]) -> list[tuple[str, str]]:
    """A form's fields: a list is its name with `[]`, as often as it has members."""
    fields = []
    for name, value in call.items():
        several = isinstance(value, list)
        for one in value if several else [value]:
            fields.append((f"{name}[]" if several else name, one if isinstance(one, str) else literal(one, "json")))
    return fields


def _shell(text: str) -> str:
    """`text` in the quotes that it needs."""
    return "'" + text.replace("'", "'\\''") + "'" if set(text) & set("\"'$`\\!") else f'"{text}"'


def _python(kind: ModelType, call: dict[str, Any], key: str) -> str:
    call, has_pictures = name_files(call)
    imports = "import base64\n\n" if has_pictures or _saves_picture(kind, call) else ""
    reader = f"\n{PYTHON_READER}" if has_pictures else ""
    client = (
        f"{imports}from openai import OpenAI\n\n{reader}"
        f'client = OpenAI(\n    api_key={literal(key, "python")},\n    base_url="{settings.PUBLIC_URL}/v1",\n)\n\n'
    )
    method, known = METHODS[kind]
    call = _for_sdk(kind, call)
    more = {name: value for name, value in call.items() if name not in known}
    call = {name: value for name, value in call.items() if name in known} | ({"extra_body": more} if more else {})
    indent = 8 if kind == "transcription" else 4
    arguments = "".join(
        f"{' ' * indent}{name}={literal(value, 'python', indent=indent)},\n" for name, value in call.items()
    )
    if kind == "transcription":
        return (
            f'{client}with open("{RECORDING}", "rb") as recording:\n'
            f"    transcript = client.{method}(\n{arguments}        file=recording,\n    )\n{_python_end(kind, call)}"
        )
    result = "video" if kind == "video" else "response"
    return read_in_python(f"{client}{result} = client.{method}(\n{arguments})\n{_python_end(kind, call)}")


def _python_end(kind: ModelType, call: dict[str, Any]) -> str:
    """What is done with the answer."""
    streamed = bool(call.get("stream"))
    match kind:
        case "chat" if streamed:
            return (
                "for chunk in response:\n"
                "    if chunk.choices:\n"
                '        print(chunk.choices[0].delta.content or "", end="", flush=True)'
            )
        case "chat":
            return "print(response.choices[0].message.content)"
        case "embedding":
            return "print(response.data[0].embedding)"
        case "transcription" if streamed:
            return (
                "    for event in transcript:\n"
                '        if event.type == "transcript.text.delta":\n'
                '            print(event.delta, end="", flush=True)'
            )
        case "transcription":
            return f"print({_transcript(call)})"
        case "image" if streamed:
            return (
                "for event in response:\n"
                f'    with open("{_picture_file(call)}", "wb") as file:\n'
                "        file.write(base64.b64decode(event.b64_json))"
            )
        case "image" if _saves_picture(kind, call):
            return (
                f'with open("{_picture_file(call)}", "wb") as file:\n'
                "    file.write(base64.b64decode(response.data[0].b64_json))"
            )
        case "image":
            return "print(response.data[0].url)"
        case "video":
            return 'client.videos.download_content(video.id).write_to_file("video.mp4")'


def _javascript(kind: ModelType, call: dict[str, Any], key: str) -> str:
    call, has_pictures = name_files(call)
    imports = 'import OpenAI from "openai";\n'
    if has_pictures or kind in ("transcription", "video") or _saves_picture(kind, call):
        imports = f'import fs from "node:fs";\n{imports}'
    reader = JAVASCRIPT_READER if has_pictures else ""
    client = (
        f"{imports}\n{reader}const client = new OpenAI({{\n"
        f'  apiKey: {literal(key, "javascript")},\n  baseURL: "{settings.PUBLIC_URL}/v1",\n}});\n\n'
    )
    call = _for_sdk(kind, call)
    fields = [
        f"  {name_of(name, 'javascript')}: {literal(value, 'javascript', indent=2)},\n" for name, value in call.items()
    ]
    if kind == "transcription":
        fields.append(f'  file: fs.createReadStream("{RECORDING}"),\n')
    declaration, method = {
        "transcription": ("const transcript", METHODS[kind][0]),
        "video": ("let video", "videos.create"),
    }.get(kind, ("const response", METHODS[kind][0]))
    code = f"{client}{declaration} = await client.{method}({{\n{''.join(fields)}}});\n{_javascript_end(kind, call)}"
    return read_in_javascript(code)


def _javascript_end(kind: ModelType, call: dict[str, Any]) -> str:
    """What is done with the answer."""
    streamed = bool(call.get("stream"))
    match kind:
        case "chat" if streamed:
            return (
                "for await (const chunk of response) {\n"
                '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n'
                "}"
            )
        case "chat":
            return "console.log(response.choices[0].message.content);"
        case "embedding":
            return "console.log(response.data[0].embedding);"
        case "transcription" if streamed:
            return (
                "for await (const event of transcript) {\n"
                '  if (event.type === "transcript.text.delta") process.stdout.write(event.delta);\n'
                "}"
            )
        case "transcription":
            return (
                f"console.log({'transcript' if call.get('response_format') in RAW_TRANSCRIPTS else 'transcript.text'});"
            )
        case "image" if streamed:
            return (
                "for await (const event of response) {\n"
                f'  fs.writeFileSync("{_picture_file(call)}", Buffer.from(event.b64_json, "base64"));\n'
                "}"
            )
        case "image" if _saves_picture(kind, call):
            return f'fs.writeFileSync("{_picture_file(call)}", Buffer.from(response.data[0].b64_json, "base64"));'
        case "image":
            return "console.log(response.data[0].url);"
        case "video":
            return (
                'while (video.status === "queued" || video.status === "in_progress") {\n'
                f"  await new Promise((resolve) => setTimeout(resolve, {PAUSE * 1000}));\n"
                "  video = await client.videos.retrieve(video.id);\n"
                "}\n"
                "const content = await client.videos.downloadContent(video.id);\n"
                'fs.writeFileSync("video.mp4", Buffer.from(await content.arrayBuffer()));'
            )


def _for_sdk(kind: ModelType, call: dict[str, Any]) -> dict[str, Any]:
    """A clip in the words of OpenAI's Videos API: its seconds are a text, and its first frame has another name."""
    if kind != "video":
        return call
    call = dict(call)
    if "duration" in call:
        call["seconds"] = str(call.pop("duration"))
    if "image" in call:
        call["input_reference"] = {"image_url": call.pop("image")}
    return call


def _transcript(call: dict[str, Any]) -> str:
    """Where the text is: some formats are nothing else."""
    return "transcript" if call.get("response_format") in RAW_TRANSCRIPTS else "transcript.text"


def _picture_file(call: dict[str, Any]) -> str:
    return f"picture.{call.get('output_format', 'png')}"


def _saves_picture(kind: ModelType, call: dict[str, Any]) -> bool:
    """Whether a picture comes in base64."""
    return kind == "image" and (bool(call.get("stream")) or call.get("response_format") == "b64_json")
