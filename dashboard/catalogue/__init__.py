"""The pages of the catalogue: all models, and one page for each.

Belongs here: how people read what the catalogue says. Does not: the facts and the prices themselves (gateway).
"""
