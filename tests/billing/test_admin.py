"""Staff sees the ledger and changes nothing in it."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing import ledger
from billing.verbs import Hold
from tests.billing.conftest import in_a_minute, open_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("staff@example.com", "secret"))
    return client


@pytest.mark.parametrize("model", ["creditaccount", "ledgerentry", "hold"])
def test_staff_sees_but_does_not_touch(staff: Client, model: str) -> None:
    account = open_account(10_000, "alice@example.com")
    ledger.apply_now([Hold(account_id=account, hold_id="r1", amount=10, deadline=in_a_minute())])

    page = staff.get(reverse(f"admin:billing_{model}_changelist"), {"q": "alice@example.com"})
    assert page.status_code == 200
    (row,) = page.context["cl"].result_list
    for action, answer in (("change", 200), ("delete", 403)):
        assert staff.get(reverse(f"admin:billing_{model}_{action}", args=[row.pk])).status_code == answer
    assert staff.post(reverse(f"admin:billing_{model}_change", args=[row.pk]), {"amount": 1}).status_code == 403
    assert staff.get(reverse(f"admin:billing_{model}_add")).status_code == 403
