"""The HTTP surface, OpenAI-shaped: express lane, REST views, errors.

Belongs here: parsing a request, calling one flow, rendering its answer. Does not: rules of the product (gateway).
"""
