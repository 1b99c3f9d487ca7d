"""Server-rendered pages for people.

Belongs here: pages that call the same flows as the API. Does not: JSON for programs (api).
"""
