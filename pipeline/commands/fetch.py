"""`clickbait fetch`: the article's data."""

from __future__ import annotations

import click

from data.fetch import fetch as fetch_headlines


@click.command()
@click.option("--source", help="Folder or URL that holds the two .gz files.  [default: the public addresses]")
def fetch(source: str | None) -> None:
    """Get the Stop Clickbait headlines: 32,000 rows into data/clickbait.csv."""
    result = fetch_headlines(source)
    click.echo(f"{result.path}: {result.rows:,} rows, {result.clickbait_rows:,} clickbait, sha256 {result.sha256}")
