"""The rows of this room: the ledger's, the payments', and those of credits given away."""

from billing.models.grants import LapsedGrant, PromotionCode, Redemption, Referral
from billing.models.ledger import Adjustment, CreditAccount, Hold, LedgerEntry, SystemAccount
from billing.models.payments import AutoTopUp, Customer, Purchase, Reversal, StripeEvent

__all__ = [
    "Adjustment",
    "AutoTopUp",
    "CreditAccount",
    "Customer",
    "Hold",
    "LapsedGrant",
    "LedgerEntry",
    "PromotionCode",
    "Purchase",
    "Redemption",
    "Referral",
    "Reversal",
    "StripeEvent",
    "SystemAccount",
]
