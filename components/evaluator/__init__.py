"""The metrics of a model on each slice, measured in one pass of TFMA, and whether it passes the rules."""
