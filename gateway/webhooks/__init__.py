"""Messages to users' own servers: which addresses they may be for, how they are signed, and how they are sent.

Belongs here: the Standard Webhooks scheme, its secrets, and the tries of a delivery. Does not: what a message says and
when there is one (`gateway.tasks.life`), its rows (`gateway.models`), the request itself (`gateway.fetch.post`).
"""
