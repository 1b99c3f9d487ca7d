"""Tables as queues: rows fall due, are claimed, and are worked on.

Belongs here: who gets which rows (`claims`), and the loop that works on them (`worker`). Does not: what the rows mean.
"""
