"""Mails about what users would want to know without looking: a balance that runs low, a key that is about to expire.

Belongs here: who wants which (`preferences`), what there is to tell (`looking`, `spent_keys`), how it is said (`words`,
`mails`), and its sending (`sending`). Does not: mails about an account's security, which are allauth's and always go.
"""
