"""The product without HTTP: models, prices, providers, and one flow per use case.

Belongs here: everything that REST, MCP and the pages share. Does not: requests, status codes, templates.
"""
