"""`clickbait fetch`: the article's data, and labelled texts from elsewhere."""

from __future__ import annotations

import click

from data.challenges import fetch_challenges
from data.fetch import fetch as fetch_headlines


@click.command()
@click.option("--source", help="Folder or URL that holds the authors' files.  [default: the public addresses]")
@click.option("--challenges", is_flag=True, help="Get instead two labelled sets from elsewhere, into data/challenge/.")
def fetch(source: str | None, challenges: bool) -> None:
    """Get the Stop Clickbait headlines: 32,000 rows into data/clickbait.csv."""
    for result in fetch_challenges(source) if challenges else [fetch_headlines(source)]:
        click.echo(f"{result.path}: {result.rows:,} rows, {result.clickbait_rows:,} clickbait, sha256 {result.sha256}")
