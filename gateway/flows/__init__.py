"""Use cases, each told from top to bottom in the order it happens."""
