"""`evalharness cache`: what the response store holds, and how to trim it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from evalharness.cli.output import json_option, print_json


@click.group("cache")
def command() -> None:
    """Show and trim the response store.

    \b
    Example:
      evalharness cache show
      evalharness cache trim --older-than 30
    """


STORE = click.option(
    "--store",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),  # a mistyped name is told, not made a store
    help="The store's file, which must exist; default: in the user's cache folder.",
)


@command.command("show")
@STORE
@json_option
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
        print_json({"path": str(path), "holdings": holdings})
        return
    click.echo(f"{path}: {sum(holding.answers for holding in holdings):,} answers")
    for holding in holdings:
        day = time.strftime("%Y-%m-%d", time.localtime(holding.newest))
        click.echo(f"  {holding.kind:<11} {holding.maker:<28} {holding.answers:>10,} {holding.bytes / 1e6:>9.1f} MB  {day}")


@command.command("trim")
@STORE
@json_option
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
    if as_json:
        print_json({"deleted": deleted})
        return
    click.echo(f"deleted {deleted:,} answers")
