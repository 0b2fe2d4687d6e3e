"""The commands of `clickbait`, a module each."""
