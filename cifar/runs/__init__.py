"""The run folder: what is in it, how it is written, how it is found again."""
