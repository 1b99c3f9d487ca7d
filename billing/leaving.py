"""What becomes of payments when an account is deleted: nothing is bought any more, and the books stay."""

from django.db import transaction

from billing.models import AutoTopUp, Customer


def stop_payments(account_id: int) -> None:
    """No top-up begins any more, and the card is forgotten here; at Stripe it stays until its owner removes it.

    Purchases stay, and so does the name that their owner has at Stripe: a refund or a dispute may still come.
    """
    with transaction.atomic():
        AutoTopUp.objects.filter(account=account_id).delete()
        Customer.objects.filter(account=account_id).update(payment_method="", card="")
