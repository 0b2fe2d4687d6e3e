"""The spec of a compiled pipeline, and the values that a run of it is given."""
