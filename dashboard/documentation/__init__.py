"""The documentation: Markdown files of `docs/site`, as pages for people and as they are for programs.

Belongs here: reading, filling in and rendering those files. Does not: what they say.
"""
