"""JSON's values as programs write them: in curl's body, in Python, in JavaScript."""

import json
import re
from typing import Any, Literal

Language = Literal["json", "python", "javascript"]

# What is longer than a line goes on several.
LINE = 72
INDENT = 2
WORDS: dict[Language, dict[Any, str]] = {
    "json": {True: "true", False: "false", None: "null"},
    "python": {True: "True", False: "False", None: "None"},
    "javascript": {True: "true", False: "false", None: "null"},
}
# A name that JavaScript takes without quotes.
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def literal(value: Any, language: Language, *, indent: int = 0) -> str:
    """`value` as source text whose first line stands at `indent` spaces; the others are indented by it, too."""
    if value is None or isinstance(value, bool):
        return WORDS[language][value]
    if isinstance(value, str):
        # An escape in JSON is the same in the two others.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        pairs = [f"{name_of(name, language)}: {{}}" for name in value]
        padded = language == "javascript"
        return _several(pairs, list(value.values()), language, indent, ("{", "}"), padded=padded)
    if isinstance(value, list):
        return _several(["{}"] * len(value), value, language, indent, ("[", "]"))
    return json.dumps(value)


def name_of(name: str, language: Language) -> str:
    """The name of a member: in quotes, but in JavaScript."""
    if language == "javascript" and _NAME.fullmatch(name):
        return name
    return json.dumps(name, ensure_ascii=False)


def _several(
    heads: list[str], values: list[Any], language: Language, indent: int, ends: tuple[str, str], *, padded: bool = False
) -> str:
    opening, closing = ends
    if not values:
        return opening + closing
    space = " " if padded else ""
    parts = [_fill(head, literal(value, language)) for head, value in zip(heads, values, strict=True)]
    line = f"{opening}{space}{', '.join(parts)}{space}{closing}"
    if len(line) + indent <= LINE and "\n" not in line:
        return line
    deeper = indent + INDENT * (2 if language == "python" else 1)
    parts = [_fill(head, literal(value, language, indent=deeper)) for head, value in zip(heads, values, strict=True)]
    # JSON alone takes no comma after the last.
    comma = "" if language == "json" else ","
    body = ",\n".join(" " * deeper + part for part in parts)
    return f"{opening}\n{body}{comma}\n{' ' * indent}{closing}"


def _fill(head: str, text: str) -> str:
    return head[:-2] + text
