"""The document's operations, as the page shows them."""

import re
from typing import Any

from msgspec import Struct

from dashboard.literals import literal
from dashboard.reference.fields import Document, Field, fields_of, kind_of, read_field, resolve
from dashboard.samples import Sample

JSON = "application/json"
FORM = "multipart/form-data"
EVENTS = "text/event-stream"
KEY_HEADER = '-H "Authorization: Bearer YOUR_API_KEY"'
# What is sent where a file is wanted.
RECORDING, PICTURE = "speech.flac", "picture.png"


class Body(Struct, frozen=True):
    """What is sent or answered in one media type."""

    media_type: str
    fields: list[Field]
    description: str = ""


class Answer(Struct, frozen=True):
    status: str
    description: str
    bodies: list[Body]
    headers: list[str]


class Failure(Struct, frozen=True):
    """One error: its status, its code, and when it is answered."""

    status: str
    code: str
    when: str


class Operation(Struct, frozen=True):
    """Its parameters by the words for where they stand: those of its `address`, and those sent `beside` the body."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    key: str
    address: dict[str, list[Field]]
    beside: dict[str, list[Field]]
    bodies: list[Body]
    answers: list[Answer]
    failures: list[Failure]
    call: Sample
    answer: Sample | None


class Tag(Struct, frozen=True):
    name: str
    description: str
    operations: list[Operation]


IN_ADDRESS = {"path": "In the path", "query": "In the query"}
BESIDE_BODY = {"header": "Headers", "cookie": "Cookies"}


def list_tags(document: Document) -> list[Tag]:
    """The operations under their tags, both in the document's order."""
    by_tag: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method, told in item.items():
            by_tag[told["tags"][0]].append(_operation(document, method, path, told))
    return [Tag(tag["name"], tag["description"], by_tag[tag["name"]]) for tag in document["tags"]]


def list_headers(document: Document) -> list[Field]:
    """Those that answers may have."""
    return [
        read_field(document, name, {**header["schema"], "description": header["description"]}, is_required=False)
        for name, header in document["components"]["headers"].items()
    ]


def _operation(document: Document, method: str, path: str, told: dict[str, Any]) -> Operation:
    sent = told.get("requestBody", {}).get("content", {})
    answers = {
        status: resolve(document, answer) for status, answer in told["responses"].items() if "$ref" not in answer
    }
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        description=told["description"],
        key=_key(told),
        address=_parameters(document, told, IN_ADDRESS),
        beside=_parameters(document, told, BESIDE_BODY),
        bodies=_bodies(document, sent),
        answers=[_answer(document, status, answer) for status, answer in answers.items()],
        failures=_failures(document, told),
        call=Sample("curl", "curl", _curl(document, method, path, told), "bash"),
        answer=_example(answers),
    )


def _key(told: dict[str, Any]) -> str:
    """Whether a key is needed, in words."""
    if "security" not in told:
        return "API key"
    return "API key, or none" if told["security"] else "No key"


def _parameters(document: Document, told: dict[str, Any], places: dict[str, str]) -> dict[str, list[Field]]:
    groups: dict[str, list[Field]] = {}
    for reference in told.get("parameters", ()):
        parameter = resolve(document, reference)
        if parameter["in"] not in places:
            continue
        schema = parameter["schema"]
        bounds = f"{schema['minimum']} to {schema['maximum']}" if "maximum" in schema else ""
        default = f"default {schema['default']}" if "default" in schema else ""
        field = Field(
            name=parameter["name"],
            kind=kind_of(document, schema),
            description=parameter["description"],
            is_required=parameter.get("required", False),
            bounds=", ".join(filter(None, (bounds, default))),
            values=[str(value) for value in schema.get("enum", ())],
        )
        groups.setdefault(places[parameter["in"]], []).append(field)
    return groups


def _bodies(document: Document, contents: dict[str, Any]) -> list[Body]:
    return [
        Body(
            media_type=media_type,
            fields=fields_of(document, content["schema"]),
            description=resolve(document, content["schema"]).get("description", ""),
        )
        for media_type, content in contents.items()
    ]


def _answer(document: Document, status: str, answer: dict[str, Any]) -> Answer:
    return Answer(
        status=status,
        description=answer["description"],
        bodies=_bodies(document, answer.get("content", {})),
        headers=list(answer.get("headers", ())),
    )


def _failures(document: Document, told: dict[str, Any]) -> list[Failure]:
    return [
        Failure(status, code, example["summary"])
        for status, answer in told["responses"].items()
        if "$ref" in answer
        for code, example in resolve(document, answer)["content"][JSON]["examples"].items()
    ]


def _example(answers: dict[str, Any]) -> Sample | None:
    """An answer to show: JSON where there is any, else a stream."""
    contents = [content for answer in answers.values() for content in answer.get("content", {}).items()]
    for kind, lexer in ((JSON, "json"), (EVENTS, "text")):
        for media_type, content in contents:
            if media_type == kind and "examples" in content:
                value = next(iter(content["examples"].values()))["value"]
                return Sample("answer", "Answer", literal(value, "json") if kind == JSON else value, lexer)
    return None


def _curl(document: Document, method: str, path: str, told: dict[str, Any]) -> str:
    address = document["servers"][0]["url"] + re.sub(r"{(\w+)}", lambda found: f"${found[1].upper()}", path)
    parts = [f"curl {address}" if method == "get" else f"curl -X {method.upper()} {address}"]
    if told.get("security") != []:
        parts.append(KEY_HEADER)
    contents = told.get("requestBody", {}).get("content", {})
    for media_type, content in contents.items():
        if "examples" not in content:
            continue
        example = next(iter(content["examples"].values()))["value"]
        if media_type == JSON:
            body = literal(example, "json", indent=2).replace("'", "'\\''")
            parts += ['-H "Content-Type: application/json"', f"-d '{body}'"]
        else:
            parts += [f'-F "{name}={value}"' for name, value in example.items()]
            parts += [f'-F "{name}=@{file}"' for name, file in _files(document, content["schema"])]
        break
    if answered := told["responses"].get("200", {}).get("content", {}):
        if EVENTS in answered and JSON not in answered:
            parts[0] = parts[0].replace("curl", "curl -N", 1)
        elif not {JSON, "application/yaml"} & answered.keys():
            parts.append("-O" if "security" in told else "-o video.mp4")
    return " \\\n  ".join(parts)


def _files(document: Document, schema: dict[str, Any]) -> list[tuple[str, str]]:
    """The files that a form must have."""
    form = resolve(document, schema)
    return [
        (name, RECORDING if form["properties"][name]["contentMediaType"] == "audio/*" else PICTURE)
        for name in form["required"]
        if form["properties"][name].get("format") == "binary"
    ]
