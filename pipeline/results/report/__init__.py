"""What a run came to, for people: a page, a comparison of two and a model card, all from the same facts."""
