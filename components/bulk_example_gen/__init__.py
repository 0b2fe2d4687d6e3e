"""Texts without labels, to be scored in bulk."""

BULK_SPLIT = "bulk"
