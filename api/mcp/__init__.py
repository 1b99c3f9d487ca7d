"""The Model Context Protocol at `/mcp`: pictures and videos as tools that agents call.

Belongs here: the protocol's HTTP, what models are told of the tools, results in its shape. Does not: what a call does
(gateway.flows, as for REST).
"""
