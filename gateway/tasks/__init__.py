"""Video tasks: what can happen to one, and how it is written.

Belongs here: the transitions of a task (`life`) with the money that they move (`money`), the one writer of them
(`writer`), how far it is (`progress`), where its pictures and its clip lie (`files`), how it is shown (`shape`), where
providers call about it (`callbacks`), and how long what was told of it is kept (`retention`). Does not: asking
providers (`gateway.jobs`), and what clients ask for (`gateway.flows.videos`).
"""
