"""`python -m pipeline` is `clickbait`."""

from pipeline.cli import main

main()
