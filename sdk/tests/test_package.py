"""The package as a whole: what it exports, that both clients are alike, and that its documents fit it."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import arkroute
from arkroute.cli.exits import TABLE

PACKAGE = Path(arkroute.__file__).parent
# `sys.stdlib_module_names` is younger than Python 3.9.
STANDARD = {
    "__future__",
    "argparse",
    "asyncio",
    "base64",
    "collections",
    "contextlib",
    "dataclasses",
    "email",
    "hashlib",
    "http",
    "inspect",
    "json",
    "logging",
    "mimetypes",
    "os",
    "pathlib",
    "platform",
    "random",
    "re",
    "secrets",
    "sys",
    "time",
    "types",
    "typing",
    "urllib",
    "uuid",
}
ROOT = Path(__file__).resolve().parent.parent
THREADS, ASYNCIO = arkroute.ArkRoute("ark-1"), arkroute.AsyncArkRoute("ark-1")
RESOURCES = (
    "images",
    "videos",
    "chat.completions",
    "embeddings",
    "audio.transcriptions",
    "models",
    "account",
    "sessions",
    "quotes",
    "receipts",
)


def methods(owner: object) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(type(owner), inspect.isfunction)
        if not name.startswith("_")
    }


def find(owner: object, path: str) -> object:
    for name in path.split("."):
        owner = getattr(owner, name)
    return owner


def plain(signature: inspect.Signature) -> list[tuple[str, object, object]]:
    """Without what differs by nature: the type of a callback, and what is answered."""
    return [(one.name, one.kind, one.default) for one in signature.parameters.values()]


@pytest.mark.parametrize("path", RESOURCES)
def test_both_clients_have_the_same_methods(path: str) -> None:
    threads = methods(find(THREADS, path))
    asyncio = methods(find(ASYNCIO, path))
    assert threads.keys() == asyncio.keys()
    for name, signature in threads.items():
        assert plain(signature) == plain(asyncio[name]), name


def test_the_clients_themselves_are_alike() -> None:
    threads, asyncio = methods(THREADS), methods(ASYNCIO)
    assert threads.keys() == asyncio.keys()
    for name, signature in threads.items():
        assert plain(signature) == plain(asyncio[name]), name
    assert methods(THREADS.session()).keys() == methods(ASYNCIO.session()).keys()


def test_everything_public_is_exported_and_has_a_docstring() -> None:
    for module in (arkroute, arkroute.types):
        for name in module.__all__:
            assert hasattr(module, name), name
    for path in RESOURCES:
        for name in methods(find(THREADS, path)):
            assert getattr(find(THREADS, path), name).__doc__, f"{path}.{name}"


def test_the_package_is_typed_and_its_version_is_in_the_changelog() -> None:
    assert (PACKAGE / "py.typed").exists()
    assert f"## [{arkroute.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_samples_of_the_readme_compile() -> None:
    samples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(samples) >= 8
    for sample in samples:
        compile(sample, "README.md", "exec", flags=0x2000)  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def test_the_readme_lists_the_exit_statuses_of_the_command() -> None:
    readme = (ROOT / "README.md").read_text()
    for status, meaning in re.findall(r"^ +(\d+) +(.+)$", TABLE, re.MULTILINE):
        assert f"| {status} | {meaning} |" in readme


def imported(tree: ast.Module) -> set[str]:
    """The packages whose import a run of the module needs, wherever it stands but under `if TYPE_CHECKING`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_it_needs_nothing_but_httpx() -> None:
    found = set[str]().union(*(imported(ast.parse(path.read_text())) for path in PACKAGE.rglob("*.py")))
    known = STANDARD | {"arkroute", "httpx"}
    assert found <= known, found - known


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "arkroute", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout == f"arkroute {arkroute.__version__}\n"
