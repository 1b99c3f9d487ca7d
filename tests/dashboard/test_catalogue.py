"""The pages for everybody: the first one, the catalogue, a model's own, and those for what is not there."""

import re
from html import unescape

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.views.defaults import server_error

from accounts.models import User
from billing.amounts import money_text
from billing.ledger import open_account
from dashboard.catalogue import latency
from dashboard.catalogue.offers import try_url
from dashboard.catalogue.prices import price_table
from gateway.catalog import get_model, list_models
from tests.dashboard.receipts import make_failure, make_receipt

pytestmark = pytest.mark.django_db


def page_of(path: str) -> str:
    response = Client().get(path)
    assert response.status_code == 200, path
    return unescape(response.content.decode())


def names_on(path: str) -> list[str]:
    return re.findall(r'<h3[^>]*><a[^>]*href="/models/([^"/]+)/"', page_of(path))


@pytest.mark.parametrize(
    ("millicredits", "text"),
    [(2000, "$0.08"), (100, "$0.004"), (1, "$0.00004"), (32_500_000, "$1,300.00"), (0, "$0.00")],
)
def test_credits_are_told_in_money(millicredits: int, text: str) -> None:
    assert money_text(millicredits) == text


def test_the_first_page_shows_a_call_and_prices_of_today() -> None:
    page = page_of("/")
    assert page.count("<h1") == 1
    assert [*re.findall(r'role="tab"[^>]*>([^<]+)<', page)] == ["curl", "Python", "JavaScript"]
    assert "http://testserver/v1/images/generations" in page
    assert "This call costs <span" in page
    assert re.search(r"nano-banana-2</a><span[^>]*><span[^>]*>2</span> <span[^>]*>· \$0\.08<", page)
    assert "/accounts/signup/" in page


def test_who_is_signed_in_sees_it_too_and_is_led_to_the_dashboard() -> None:
    client = Client()
    client.force_login(User.objects.create_user("alice@example.com"))
    page = client.get("/").content.decode()
    assert 'href="/dashboard/">Dashboard</a>' in page
    assert "/accounts/signup/" not in page


def test_every_model_is_listed_and_has_a_page() -> None:
    listed = names_on("/models/")
    assert sorted(listed) == sorted(model.id for model in list_models())
    for name in listed:
        page = page_of(f"/models/{name}/")
        assert page.count("<h1") == 1
        assert f'href="/explorer/?model={name}"' in page
        identifiers = re.findall(r'\sid="([^"]+)"', page)
        assert len(identifiers) == len(set(identifiers)), name
        assert "subscription" not in page.lower()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=NANO+lite", ["nano-banana-lite"]),
        ("q=dall-e-3", ["nano-banana-2"]),
        ("type=embedding&provider=google", ["gemini-embedding-2", "gemini-embedding-001"]),
        ("type=image&price=1&sort=name", ["nano-banana-lite", "sandbox-image"]),
        ("type=video&provider=bytedance&sort=-price&q=fast", ["seedance-2.0-fast", "seedance-1.0-fast"]),
    ],
)
def test_the_address_says_what_is_shown(query: str, expected: list[str]) -> None:
    assert names_on(f"/models/?{query}") == expected


def test_a_search_that_finds_nothing_leads_back() -> None:
    page = page_of("/models/?q=nothing-of-this-name")
    assert "No model fits" in page
    assert 'href="/models/">Show all models' in page


def test_what_cannot_be_called_is_not_there(settings) -> None:
    settings.ARKROUTE_STAND_INS = False
    settings.PROVIDERS = {}
    assert "gpt-image-2" not in names_on("/models/")
    assert Client().get("/models/gpt-image-2/").status_code == 404
    assert Client().get("/").status_code == 200


def test_the_path_without_its_slash_is_the_api() -> None:
    assert Client().get("/models/gpt-5.5").json()["id"] == "gpt-5.5"


def test_an_alias_leads_to_the_model_that_it_stands_for() -> None:
    assert Client().get("/models/dall-e-3/")["location"] == "/models/nano-banana-2/"


def test_a_name_of_ours_says_which_model_it_leads_to() -> None:
    assert 'This is our alias: it leads to <a class="link" href="/models/gpt-5.4/">' in page_of(
        "/models/codex-auto-review/"
    )
    assert "our alias" not in page_of("/models/gpt-5.4/")


def test_prices_are_those_that_are_charged() -> None:
    def prices(name: str) -> dict[str, list[str]]:
        return {row.name: [price.credits for price in row.prices] for row in price_table(get_model(name)).rows}

    assert prices("gpt-image-2")["2K"] == ["3", "25", "100", "100"]
    assert prices("kling-v3") == {
        "720p silent": ["24", "40", "120"],
        "720p with sound": ["36", "60", "180"],
        "1080p silent": ["30", "50", "150"],
        "1080p with sound": ["45", "75", "225"],
    }
    # A dollar is 25 credits, and tokens beyond the base cost the vendor's price and three tenths of it.
    assert prices("gpt-5.4") == {
        "Input": ["81.25", "162.5"],
        "Cached input": ["8.125", "16.25"],
        "Output": ["487.5", "731.25"],
    }
    assert prices("gpt-transcribe") == {"An hour of sound": ["36"]}
    assert prices("seedream-4.5") == {}
    assert price_table(get_model("seedream-4.5")).notes[0] == "Every size costs the same."


def test_parameters_are_those_of_the_schema() -> None:
    page = page_of("/models/kling-v2-master/")
    for name in Client().get("/v1/models/kling-v2-master").json()["parameters"]["properties"]:
        assert f">{name}</code>" in page


def test_an_address_of_nothing_gets_a_page_that_leads_on() -> None:
    response = Client().get("/nothing/<here>/")
    assert response.status_code == 404
    page = response.content.decode()
    assert "/nothing/&lt;here&gt;/" in page
    assert 'href="/docs/"' in page


def test_the_page_of_an_error_of_ours_needs_nothing() -> None:
    response = server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()


def test_the_median_time_of_the_last_days_is_told_where_there_were_calls() -> None:
    cache.delete(latency.CACHE_KEY)
    user = User.objects.create_user("alice@example.com")
    open_account(user)
    for milliseconds in (1000, 2000, 3000, 4000, 90_000):
        make_receipt(user, model="gpt-5.5", milliseconds=milliseconds)
    for _ in range(5):
        make_receipt(user, model="gpt-5.4", stand_in=True)
        make_failure(user, model="gpt-5.4")
    assert latency.latencies() == {"gpt-5.5": "3.0 s"}
    assert "3.0 s</li>" in page_of("/models/?q=gpt-5.5")
    assert "not known</span></li>" in page_of("/models/?q=gpt-5.4-mini")
    assert "3.0 s</dd>" in page_of("/models/gpt-5.5/")
    cache.delete(latency.CACHE_KEY)


def test_newcomers_try_the_cheapest_model_of_a_vendor(settings) -> None:
    assert try_url() == "/explorer/?model=nano-banana-lite"
    settings.PROVIDERS = {"openai": settings.PROVIDERS["openai"]}
    assert try_url() == "/explorer/?model=gpt-image-1-mini"
