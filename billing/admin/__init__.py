"""What staff sees of money, and the little that it does about it.

The ledger is looked at (`ledger`) and corrected with a reason (`adjust`); payments are looked at and asked about again
at Stripe, and promotion codes are made (`payments`).
"""

from billing.admin.ledger import AdjustmentAdmin, CreditAccountAdmin, HoldAdmin, LedgerEntryAdmin
from billing.admin.payments import PromotionCodeAdmin, PurchaseAdmin, StripeEventAdmin

__all__ = [
    "AdjustmentAdmin",
    "CreditAccountAdmin",
    "HoldAdmin",
    "LedgerEntryAdmin",
    "PromotionCodeAdmin",
    "PurchaseAdmin",
    "StripeEventAdmin",
]
