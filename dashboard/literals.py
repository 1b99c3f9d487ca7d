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
    line = _line(value, language)
    if len(line) + indent <= LINE or not isinstance(value, dict | list) or not value:
        return line
    deeper = indent + INDENT * (2 if language == "python" else 1)
    if isinstance(value, dict):
        parts = [f"{name_of(name, language)}: {literal(one, language, indent=deeper)}" for name, one in value.items()]
    else:
        parts = [literal(one, language, indent=deeper) for one in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    # JSON alone takes no comma after the last.
    comma = "" if language == "json" else ","
    body = ",\n".join(" " * deeper + part for part in parts)
    return f"{opening}\n{body}{comma}\n{' ' * indent}{closing}"


def name_of(name: str, language: Language) -> str:
    """The name of a member: in quotes, but in JavaScript."""
    if language == "javascript" and _NAME.fullmatch(name):
        return name
    return json.dumps(name, ensure_ascii=False)


def _line(value: Any, language: Language) -> str:
    """`value` on one line, however long."""
    if value is None or isinstance(value, bool):
        return WORDS[language][value]
    if isinstance(value, dict):
        pairs = ", ".join(f"{name_of(name, language)}: {_line(one, language)}" for name, one in value.items())
        space = " " if language == "javascript" and pairs else ""
        return f"{{{space}{pairs}{space}}}"
    if isinstance(value, list):
        return f"[{', '.join(_line(one, language) for one in value)}]"
    # An escape in JSON is the same in the two others.
    return json.dumps(value, ensure_ascii=False)
