"""The benchmark: what a request costs the gateway, next to nginx and to a plain DRF and ORM version of the endpoint.

Belongs here: load, fake upstream, peers, the report (`make bench`). Imports nothing of the product, which it starts as
processes like anyone would; nothing imports it.
"""
