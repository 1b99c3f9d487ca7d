"""The reference of the API as a page, made of its OpenAPI description.

Belongs here: reading that document and showing it. Does not: what it says, which whoever composes the site passes in,
since a page knows nothing of the API's own code.
"""
