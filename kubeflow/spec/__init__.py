"""What is compiled: the spec of a pipeline, and the values that a run is given."""
