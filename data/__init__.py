"""The training data: the fetch command's files, the bundled sample and the curated schema."""
