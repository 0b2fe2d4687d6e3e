"""What the model learns from: the fetch command's files, the bundled sample and the curated schema."""
