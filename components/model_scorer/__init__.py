"""The scores that are evaluated, each distinct text computed once, and explanations of the worst errors."""
