"""What a page lets people choose from."""

from msgspec import Struct


class Choice(Struct, frozen=True):
    """One of several: a link to `url` (`parts/choices.html`), or an option whose `value` a form sends."""

    name: str
    url: str = ""
    value: str = ""
    is_chosen: bool = False
