"""The scores that are evaluated, each distinct text computed once, and why the worst of them came out so."""
