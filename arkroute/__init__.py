"""The composition root: settings, routing, the runtime of a process, and the commands that need all rooms.

Belongs here: what puts the other rooms together. Does not: any rule of the product. Nobody imports this package.
"""
