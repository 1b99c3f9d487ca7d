"""The endpoints, by what they are about: `client.images`, `client.videos`, … Each for threads and for asyncio.

A call is described once, by a function of its module; the two classes send it.
"""
