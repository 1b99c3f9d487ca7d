"""Money: accounts of credits, an append-only ledger, holds. Knows amounts, never models or tokens.

Belongs here: what writes or proves a balance, and the sale of credits. Does not: what a call costs (gateway.pricing).
"""
