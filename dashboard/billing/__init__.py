"""The pages about money: what there is, what can be bought, what was; and the ledger."""
