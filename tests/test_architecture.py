"""The staircase: a room imports from the rooms below it, never from those above or beside it.

accounts  <-  billing  <-  gateway  <-  { api, dashboard }  <-  arkroute
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "accounts": set(),
    "billing": {"accounts"},
    "gateway": {"accounts", "billing"},
    "api": {"accounts", "billing", "gateway"},
    "dashboard": {"accounts", "billing", "gateway"},
    "arkroute": {"accounts", "billing", "gateway", "api", "dashboard"},
}


def imports_of(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every module that `source` imports, inside functions too, and by name in `import_module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            yield from ((node.lineno, str(one.value)) for one in node.args if isinstance(one, ast.Constant))


def steps_upwards(room: str, source: str) -> list[str]:
    """The imports in a file of `room` that the staircase does not allow."""
    return [
        f"line {line}: {name}"
        for line, name in imports_of(source)
        if (other := name.partition(".")[0]) in MAY_IMPORT and other != room and other not in MAY_IMPORT[room]
    ]


def files_of(room: str) -> list[Path]:
    return [path for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_downwards_only(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}, {step}" for path in files_of(room) for step in steps_upwards(room, path.read_text())
    ]
    assert files_of(room), f"{room} has no files: has it moved?"
    assert found == []


@pytest.mark.parametrize("room", [room for room in MAY_IMPORT if room != "arkroute"])
def test_imports_stand_at_the_top_of_a_file(room: str) -> None:
    """An import inside a function usually dodges a cycle: the code is in the wrong room then.

    `AppConfig.ready` is Django's own place for one.
    """
    found = []
    for path in files_of(room):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name != "ready":
                found += [
                    f"{path.relative_to(ROOT)}:{node.lineno}"
                    for node in ast.walk(function)
                    if isinstance(node, ast.Import | ast.ImportFrom)
                ]
    assert found == []


def test_a_step_upwards_is_found_wherever_it_hides() -> None:
    source = "import json\ndef f():\n    from gateway.flows import chat\n    import_module('arkroute.runtime')\n"
    assert steps_upwards("billing", source) == ["line 3: gateway.flows", "line 4: arkroute.runtime"]
    assert steps_upwards("api", "from dashboard import views") == ["line 1: dashboard"]
    assert steps_upwards("api", "from gateway.flows import chat") == []


@pytest.mark.parametrize("path", [path for room in MAY_IMPORT for path in files_of(room)], ids=str)
def test_a_vendor_is_named_in_no_condition_outside_its_room(path: Path) -> None:
    """`if provider == …` chains grow; a registry and fields of the catalogue do not."""
    relative = path.relative_to(ROOT)
    if relative.parts[:2] == ("gateway", "providers") or relative.name == "settings.py":
        return
    # The sandbox and the engine are ours, and not reached with credentials as vendors are.
    names = {path.stem for path in (ROOT / "gateway/catalog/data").glob("*.toml")} - {"sandbox", "engine"}
    compared = [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and side.value in names
    ]
    assert compared == []
