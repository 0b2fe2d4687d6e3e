"""Files of texts, scored row by row."""
