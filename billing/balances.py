"""What an account had after each of its entries, which no row says."""

from collections.abc import Sequence

from django.db import connection


def balances_after(account_id: int, entry_ids: Sequence[int]) -> dict[int, int]:
    """Millicredits posted after each of these entries of one user's account; nothing of our own, which keep no total.

    Reckoned back from what is posted now, in one statement, so that entries written meanwhile do no harm. It reads the
    account's entries from the oldest of these on.
    """
    if account_id <= 0 or not entry_ids:
        return {}
    marks = ", ".join(["%s"] * len(entry_ids))
    # Only marks are put into the text.
    sql = f"""
        SELECT later.id, account.posted - later.total + later.amount FROM (
          SELECT id, account_id, amount, SUM(amount) OVER (ORDER BY id DESC) AS total
          FROM billing_ledgerentry WHERE account_id = %s AND id >= %s
        ) later
        JOIN billing_creditaccount account ON account.id = later.account_id
        WHERE later.id IN ({marks})
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [account_id, min(entry_ids), *entry_ids])
        return {entry_id: int(balance) for entry_id, balance in cursor.fetchall()}
