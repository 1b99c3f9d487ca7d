"""Pictures in base64, of which a sample of code has no room: it reads each from a file beside it."""

import re
from itertools import count
from typing import Any

# Stand around a file's name in a text. Nobody types them: https://en.wikipedia.org/wiki/Private_Use_Areas
_OPEN, _CLOSE = "\ue000", "\ue001"
_FILE = re.compile(f"{_OPEN}(.+?){_CLOSE}")
_QUOTED_FILE = re.compile(f'"{_OPEN}(.+?){_CLOSE}"')
_ESCAPED = re.compile(r"[\\$`]")
URI = "data:image/png;base64,"
PYTHON_READER = (
    "def data_uri(path):\n"
    '    with open(path, "rb") as file:\n'
    f'        return "{URI}" + base64.b64encode(file.read()).decode()\n\n\n'
)
JAVASCRIPT_READER = f'const dataUri = (path) => `{URI}${{fs.readFileSync(path, "base64")}}`;\n'


def name_files(call: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """`call` with the name of a file, `input.png`, in the place of each data URI; and whether there is one."""
    numbers = count(1)

    def name(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("data:"):
            number = next(numbers)
            return f"{_OPEN}input{'' if number == 1 else f'-{number}'}.png{_CLOSE}"
        if isinstance(value, dict):
            return {key: name(one) for key, one in value.items()}
        return [name(one) for one in value] if isinstance(value, list) else value

    named = {key: name(value) for key, value in call.items()}
    return named, next(numbers) > 1


def read_in_python(code: str) -> str:
    return _QUOTED_FILE.sub(r'data_uri("\1")', code)


def read_in_javascript(code: str) -> str:
    return _QUOTED_FILE.sub(r'dataUri("\1")', code)


def read_in_shell(json: str) -> str:
    """`json` as a here-document in which the shell puts the files. What else it would read there is escaped."""
    escaped = _ESCAPED.sub(lambda found: f"\\{found[0]}", json)
    return _FILE.sub(lambda found: f"{URI}$(base64 < {found[1]} | tr -d '\\n')", escaped)
