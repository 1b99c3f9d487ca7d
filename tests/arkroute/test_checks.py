"""What a server refuses to start with."""

import pytest
from django.test import override_settings

from arkroute.checks import check_environment
from tests.arkroute.conftest import SECRET_KEY, run_manage

PRODUCTION = {
    "DEBUG": False,
    "SECRET_KEY": SECRET_KEY,
    "ALLOWED_HOSTS": ["api.example.com"],
    "PUBLIC_URL": "https://api.example.com",
    "ARKROUTE_STAND_INS": False,
}


@pytest.mark.parametrize(
    ("settings", "refused_with"),
    [
        ({}, []),
        ({"SECRET_KEY": ""}, ["arkroute.E001"]),
        ({"SECRET_KEY": "short"}, ["arkroute.E002"]),
        ({"SECRET_KEY": "a" * 60}, ["arkroute.E002"]),
        ({"SECRET_KEY": "django-insecure-" + SECRET_KEY}, ["arkroute.E002"]),
        ({"PUBLIC_URL": ""}, ["arkroute.E003"]),
        ({"PUBLIC_URL": "api.example.com"}, ["arkroute.E003"]),
        ({"ALLOWED_HOSTS": []}, ["arkroute.E004"]),
        ({"ALLOWED_HOSTS": ["api.example.com", "*"]}, ["arkroute.E005"]),
        ({"ARKROUTE_STAND_INS": True}, ["arkroute.E006"]),
        ({"DEBUG": True, "SECRET_KEY": "short", "ALLOWED_HOSTS": ["*"], "ARKROUTE_STAND_INS": True}, []),
        ({"DEBUG": True, "SECRET_KEY": ""}, ["arkroute.E001"]),
    ],
)
def test_what_cannot_work_or_is_unsafe_is_an_error(settings, refused_with):
    with override_settings(**(PRODUCTION | settings)):
        messages = check_environment()
    assert [message.id for message in messages] == refused_with
    assert all(message.hint for message in messages)


def test_with_debug_off_and_nothing_set_serve_names_all_that_is_missing(production):
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "PUBLIC_URL"):
        production.pop(name)
    ended = run_manage(production, "serve")
    assert ended.returncode != 0
    for name in ("SECRET_KEY is not set", "ALLOWED_HOSTS is not set", "PUBLIC_URL is"):
        assert name in ended.stdout


def test_a_proper_production_passes_every_check_of_a_deployment(production):
    ended = run_manage(production, "check", "--deploy", "--fail-level", "WARNING")
    assert ended.returncode == 0, ended.stdout


def test_it_serves_with_these_three_and_nothing_else(serve, production):
    running = serve(production)
    assert running.answers("/readyz")
