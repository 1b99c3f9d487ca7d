"""How calls travel: what is sent, how often it is tried, what comes back as an answer, a stream or an error.

Knows HTTP and the gateway's headers, not what a picture or a chat is.
"""
