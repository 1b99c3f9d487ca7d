"""Holding and capturing credits with the ORM: one transaction each, the account's row locked."""

from django.db import transaction
from rest_framework.exceptions import APIException

from bench.plain.models import Account, Hold, Receipt


class InsufficientCredits(APIException):
    status_code = 402
    default_detail = "There are not enough credits."


@transaction.atomic
def hold(user, amount):
    account = Account.objects.select_for_update().get(user=user)
    if account.balance - account.held < amount:
        raise InsufficientCredits
    account.held += amount
    account.save(update_fields=["held"])
    return Hold.objects.create(account=account, amount=amount)


@transaction.atomic
def capture(hold, model, usage):
    account = Account.objects.select_for_update().get(pk=hold.account_id)
    amount = min(hold.amount, usage["total_tokens"])
    account.held -= hold.amount
    account.balance -= amount
    account.save(update_fields=["held", "balance"])
    hold.state = "captured"
    hold.save(update_fields=["state"])
    return Receipt.objects.create(
        hold=hold,
        model=model,
        amount=amount,
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
    )


@transaction.atomic
def release(hold):
    account = Account.objects.select_for_update().get(pk=hold.account_id)
    account.held -= hold.amount
    account.save(update_fields=["held"])
    hold.state = "released"
    hold.save(update_fields=["state"])
