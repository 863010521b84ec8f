"""Finished runs, compared: what varies between them, how much that changes, and how sure one can be of it."""
