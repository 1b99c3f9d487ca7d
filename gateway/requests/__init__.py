"""From a JSON object to a request of ours: what the public contract accepts, one file per capability.

Unknown fields are kept in `body` and passed on; known ones are checked here, before anything is held or called.
"""
