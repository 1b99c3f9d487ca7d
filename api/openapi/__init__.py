"""The OpenAPI description of everything that programs may call: one table of operations for both lanes.

Belongs here: what an operation takes and answers, in words and schemas. Does not: checking it (`gateway.requests`),
answering it (the express lane and the views).
"""
