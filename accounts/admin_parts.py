"""What the rooms above add to pages of the staff, as `admin.register` adds lists: each with the permission it needs.

The pages themselves (`accounts.admin_site`, `accounts.admin`) know nothing of credits or models.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from msgspec import Struct

from accounts.models import User

F = TypeVar("F", bound=Callable)


class Parts(Generic[F]):
    """Functions by permission. Used as a decorator: `@finders("accounts.view_user")`."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, F]] = []

    def __call__(self, permission: str) -> Callable[[F], F]:
        def add(part: F) -> F:
            self._parts.append((permission, part))
            return part

        return add

    def allowed(self, staff: User | AbstractBaseUser | AnonymousUser) -> list[F]:
        """Those whose permission `staff` has, in the order in which they were added."""
        return [part for permission, part in self._parts if isinstance(staff, User) and staff.has_perm(permission)]


class Link(Struct, frozen=True):
    text: str
    url: str


class Found(Struct, frozen=True):
    """Something that a search found. `what` it is, such as `Receipt`; `note` tells it from its neighbours."""

    what: str
    text: str
    url: str
    note: str = ""


class Sign(Struct, frozen=True):
    """How something fares. `level` is `good`, `warning` or `bad`; `url`: where more is told."""

    name: str
    text: str
    level: str = "good"
    url: str = ""


class Fact(Struct, frozen=True):
    """A line of a user's page."""

    name: str
    text: str
    links: Sequence[Link] = ()


def search_link(words: str) -> SafeString:
    """A link to all that there is under an id: request, receipt, hold, task."""
    return format_html('<a href="{}?{}">{}</a>', reverse("admin:find"), urlencode({"q": words}), words)


# Each is given what was typed, without spaces around it, and no more than 300 printable characters.
finders = Parts[Callable[[str], Iterable[Found]]]()
signs = Parts[Callable[[], Iterable[Sign]]]()
user_facts = Parts[Callable[[User], Iterable[Fact]]]()
# What staff may do about a user: a button, where there is something to do.
user_tools = Parts[Callable[[User], "Link | None"]]()
