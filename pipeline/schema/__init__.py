"""The schema of the data: inferred, compared, updated."""
