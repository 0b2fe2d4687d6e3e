"""The curated schema as an artifact, anew when its content changes."""
