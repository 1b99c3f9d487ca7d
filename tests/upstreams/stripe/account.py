"""What Stripe knows of an account in one mode, test or live: objects, how they are shown, and events about them."""

import copy
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from secrets import choice
from string import ascii_letters, digits
from typing import Any

from tests.upstreams.stripe.errors import bad_parameter, missing

Object = dict[str, Any]

API_VERSION = "2026-10-28.endive"
# Every kind of object with all its fields, as a new one has them.
FIXTURES: dict[str, Object] = json.loads((Path(__file__).parent.parent / "stripe_fixtures.json").read_text())
PREFIXES = {
    "billing_portal.session": "bps_1",
    "charge": "ch_3",
    "customer": "cus_",
    "dispute": "du_1",
    "event": "evt_1",
    "invoice": "in_1",
    "item": "li_1",
    "line_item": "il_1",
    "payment_intent": "pi_3",
    "payment_method": "pm_1",
    "refund": "re_3",
}
LONGEST_PAGE, USUAL_PAGE, DEEPEST_EXPANSION = 100, 10, 4


class Account:
    """`on_event` is given each event that comes to be; `origin` says where the pages are."""

    def __init__(self, *, livemode: bool, origin: Callable[[], str], on_event: Callable[[Object], None]) -> None:
        self.livemode = livemode
        self.other: Account | None = None  # the other mode's
        self.objects: dict[str, Object] = {}
        # What a session was told of the payment to come, and its items, which are shown on demand alone.
        self.intent_data: dict[str, Object] = {}
        self.line_items: dict[str, list[Object]] = {}
        self.outcomes: deque[str] = deque()  # of the next payments, before their cards are asked
        self.promotion_codes: dict[str, int] = {}  # percents off
        self.tax_percent = 0  # where automatic tax is on
        self.seconds_ahead = 0
        self.request: Object = {"id": None, "idempotency_key": None}  # under way
        self._origin = origin
        self._on_event = on_event
        self._numbers = count(1)
        self._ages: dict[str, int] = {}

    @property
    def origin(self) -> str:
        return self._origin()

    @property
    def now(self) -> int:
        return int(time.time()) + self.seconds_ahead

    def new_id(self, prefix: str, length: int = 22) -> str:
        return prefix + "".join(choice(ascii_letters + digits) for _ in range(length))

    def new(self, kind: str, **fields: Any) -> Object:
        """A new object of a kind, known from now on."""
        made = copy.deepcopy(FIXTURES[kind])
        if kind == "checkout.session":
            made["id"] = self.new_id(f"cs_{'live' if self.livemode else 'test'}_", 58)
        else:
            made["id"] = self.new_id(PREFIXES[kind])
        if "created" in made:
            made["created"] = self.now
        if "livemode" in made:
            made["livemode"] = self.livemode
        unknown = fields.keys() - made.keys()
        assert not unknown, f"a {kind} has no {unknown}"
        made |= fields
        self.objects[made["id"]] = made
        self._ages[made["id"]] = next(self._numbers)
        return made

    def emit(self, event_type: str, about: Object, **previous: Any) -> None:
        """Makes an event, with `about` as it is now. `previous` are the values of what has changed."""
        data: Object = {"object": copy.deepcopy(about)}
        if previous:
            data["previous_attributes"] = previous
        event = self.new(
            "event",
            api_version=API_VERSION,
            data=data,
            pending_webhooks=1,
            request=dict(self.request),
            type=event_type,
        )
        self._on_event(event)

    def find(self, kind: str, object_id: str, *, param: str = "id", status: int = 400) -> Object:
        """Raises `Refusal`, with a 404 where the address named it."""
        found = self.objects.get(object_id)
        if found is not None and found["object"] == kind:
            return found
        elsewhere = self.other is not None and object_id in self.other.objects
        mode = ("test" if self.livemode else "live") if elsewhere else ""
        what = "PaymentMethod" if kind == "payment_method" else kind
        raise missing(what, object_id, param=param, status=status, other_mode=mode)

    def all(self, kind: str, **fields: Any) -> Iterator[Object]:
        """Those of a kind whose fields have these values, newest first."""
        found = [one for one in self.objects.values() if one["object"] == kind]
        found.sort(key=lambda one: (one["created"], self._ages[one["id"]]), reverse=True)
        return (one for one in found if all(one[name] == value for name, value in fields.items()))

    def page(self, objects: Iterator[Object], url: str, params: Object) -> Object:
        """A list as the API answers it. https://docs.stripe.com/api/pagination"""
        limit = params.get("limit", USUAL_PAGE)
        if not 1 <= limit <= LONGEST_PAGE:
            raise bad_parameter(
                f"This value must be between 1 and {LONGEST_PAGE}.", code="parameter_invalid_integer", param="limit"
            )
        found = [one for one in objects if _is_in_range(one["created"], params.get("created"))]
        after, before = params.get("starting_after"), params.get("ending_before")
        for param, cursor in (("starting_after", after), ("ending_before", before)):
            if cursor and cursor not in self.objects:
                raise missing("object", cursor, param=param, status=400)
        if after:
            found = [one for one in found if self._is_older(one, self.objects[after])]
        if before:
            found = [one for one in found if self._is_older(self.objects[before], one)]
        shown = found[-limit:] if before else found[:limit]
        return {"object": "list", "data": shown, "has_more": len(found) > len(shown), "url": url}

    def _is_older(self, one: Object, other: Object) -> bool:
        return (one["created"], self._ages[one["id"]]) < (other["created"], self._ages[other["id"]])

    def show(self, answer: Object, expand: Sequence[str]) -> Object:
        """A copy, with objects in place of the ids that `expand` names. https://docs.stripe.com/expand"""
        shown = copy.deepcopy(answer)
        for path in expand:
            parts = path.split(".")
            if len(parts) - (parts[0] == "data") > DEEPEST_EXPANSION:
                raise bad_parameter(f"You cannot expand more than {DEEPEST_EXPANSION} levels of a property.")
            self._expand(shown, parts, path)
        return shown

    def _expand(self, shown: Object, parts: list[str], path: str) -> None:
        name, *rest = parts
        if name not in shown and shown.get("object") == "charge" and name == "refunds":
            refunds = self.all("refund", charge=shown["id"])
            shown[name] = copy.deepcopy(self.page(refunds, f"/v1/charges/{shown['id']}/refunds", {}))
        if name not in shown and shown.get("object") == "checkout.session" and name == "line_items":
            url = f"/v1/checkout/sessions/{shown['id']}/line_items"
            items = copy.deepcopy(self.line_items[shown["id"]])
            shown[name] = {"object": "list", "data": items, "has_more": False, "url": url}
        value = shown.get(name)
        if isinstance(value, str) and value in self.objects:
            value = shown[name] = copy.deepcopy(self.objects[value])
        elif name not in shown or isinstance(value, str):
            raise bad_parameter(f"This property cannot be expanded ({path}).", param="expand")
        if rest:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    self._expand(one, rest, path)


def _is_in_range(moment: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return moment == wanted
    return (
        wanted.get("gte", moment) <= moment <= wanted.get("lte", moment)
        and ("gt" not in wanted or moment > wanted["gt"])
        and ("lt" not in wanted or moment < wanted["lt"])
    )
