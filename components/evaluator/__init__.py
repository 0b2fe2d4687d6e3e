"""What a model reaches on each slice, measured in one pass of TFMA, and whether it keeps the rules."""
