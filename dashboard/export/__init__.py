"""A user's own data as one file.

Belongs here: which rows and which of their fields are handed out (`parts`), and how they are written (`archive`). A
field of these rows that is neither shown nor hidden fails a test, and so does a table with a link to users that is
nowhere named.
"""
