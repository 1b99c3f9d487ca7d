"""docs/site/compatibility.md says what the catalogue says."""

from arkroute.management.commands.write_compatibility import PAGE, page
from gateway.catalog import get_model


def test_the_page_is_the_one_that_the_catalogue_makes():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `manage.py write_compatibility`"


def test_every_parameter_that_an_open_model_lacks_has_its_row():
    chat_page = page().partition("### /embeddings")[0]
    rows = dict(line.split(" | ", 2)[:2] for line in chat_page.splitlines() if line.startswith("| `"))
    chat = get_model("smollm2-135m-instruct").chat
    assert {rows[f"| `{name}`"] for name in chat.refuses} == {"**no**"}
    assert {rows[f"| `{name}`"] for name in chat.ignores} == {"ignored"}
    assert rows["| `tools`"] == "forced"


def test_aliases_are_told():
    assert "| `gpt-4o` | `smollm2-135m-instruct` |" in page()
    assert "| `whisper-1` | `whisper-base` |" in page()
