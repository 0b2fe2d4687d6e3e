"""The configuration of a run: what can be said, where it comes from, and where a run lies by it."""
