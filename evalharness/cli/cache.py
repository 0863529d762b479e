"""`evalharness cache`: what the response store holds, and how to trim it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click


@click.group("cache")
def command() -> None:
    """Show and trim the response store.

    \b
    Example:
      evalharness cache show
      evalharness cache trim --older-than 30
    """


STORE = click.option("--store", type=click.Path(path_type=Path), help="The store's file; default: in the user's cache folder.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command("show")
@STORE
@JSON
def show(store: Path | None, as_json: bool) -> None:
    """Show what the store holds, by kind and by the model or retriever that gave the answers.

    \b
    Example:
      evalharness cache show
    """
    from evalharness.systems.store import Store

    with Store(store) as opened:
        holdings = opened.holdings()
        path = opened.path
    if as_json:
        click.echo(json.dumps({"path": str(path), "holdings": [vars(holding) for holding in holdings]}))
        return
    click.echo(f"{path}: {sum(holding.answers for holding in holdings):,} answers")
    for holding in holdings:
        day = time.strftime("%Y-%m-%d", time.localtime(holding.newest))
        click.echo(f"  {holding.kind:<11} {holding.maker:<28} {holding.answers:>10,} {holding.bytes / 1e6:>9.1f} MB  {day}")


@command.command("trim")
@STORE
@JSON
@click.option("--older-than", "days", type=float, help="Delete answers older than this many days.")
@click.option("--maker", help="Delete the answers of this model or retriever, as 'cache show' names it.")
@click.option("--all", "everything", is_flag=True, help="Delete every answer.")
def trim(store: Path | None, as_json: bool, days: float | None, maker: str | None, everything: bool) -> None:
    """Delete stored answers; the next run asks for them again.

    \b
    Example:
      evalharness cache trim --maker 'hf 3f2a9c01b7de'
    """
    from evalharness.systems.store import Store

    if days is None and maker is None and not everything:
        raise click.UsageError("say what to delete: --older-than DAYS, --maker NAME, or --all")
    with Store(store) as opened:
        deleted = opened.trim(maker=maker, before=None if days is None else time.time() - days * 86_400)
    click.echo(json.dumps({"deleted": deleted}) if as_json else f"deleted {deleted:,} answers")
