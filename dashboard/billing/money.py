"""Money as its reader writes it: `$1,300.00`, `1.300,00 $`."""

from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency
from django.http import HttpRequest

from billing.packs import MINOR_UNITS

# The pages are in English, so this is how they write where a browser names no language.
DEFAULT = "en_US"
MOST_NAMED = 10


def locale_of(request: HttpRequest) -> str:
    """The first of the languages that a browser asks for in which money can be written."""
    named = request.headers.get("accept-language", "").split(",")[:MOST_NAMED]
    for tag in named:
        if locale := _known(tag.partition(";")[0].strip()):
            return locale
    return DEFAULT


def money(minor: int, currency: str, locale: str = DEFAULT) -> str:
    """So many minor units (cents) of `currency`."""
    return format_currency(Decimal(minor) / MINOR_UNITS, currency.upper(), locale=locale)


@lru_cache(maxsize=256)
def _known(tag: str) -> str:
    try:
        return str(Locale.parse(tag, sep="-"))
    except (ValueError, UnknownLocaleError):
        return ""
