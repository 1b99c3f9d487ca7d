"""The sale of credits through Stripe: purchases, what takes them back, and what Stripe tells of both.

Belongs here: what a payment means for the ledger. Does not: pages (dashboard), the ledger's own rules (billing.verbs).
"""
