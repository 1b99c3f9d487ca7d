"""Who is calling: users, their API keys, and how a key is recognised.

Belongs here: sign-up, login, keys. Does not: money (billing), what a caller may ask for (gateway), HTTP answers (api).
"""
