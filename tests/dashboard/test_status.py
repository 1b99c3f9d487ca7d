"""The page that says whether everything works."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory

from dashboard.status import status

pytestmark = pytest.mark.django_db


def test_it_tells_what_the_probe_tells() -> None:
    page = Client().get("/status/").content.decode()
    assert "Accounts, keys and credits" in page
    assert page.count("<h1") == 1


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ({"status": "ready", "database": "ok"}, ["Everything works", "Works"]),
        ({"status": "degraded", "database": "ok", "pool:oslo": "unreachable"}, ["Something", "pool oslo", "No answer"]),
        ({"status": "unavailable", "database": "unreachable"}, ["Not available", "No answer"]),
    ],
)
def test_it_says_what_does_not_answer(report: dict[str, str], said: list[str]) -> None:
    async def read_readiness() -> dict[str, str]:
        return report

    request = RequestFactory().get("/status/")
    request.user = AnonymousUser()
    page = status(request, read_readiness).content.decode()
    assert all(words in page for words in said)
