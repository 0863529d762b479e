"""`evalharness plugin new|test`: write a plugin package, and test an installed one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from evalharness.cli.output import json_option, print_json


@click.group()
def command() -> None:
    """Write a new plugin package, or test an installed one."""


@command.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write it; by default ./NAME.")
@json_option
def new(name: str, folder: Path | None, as_json: bool) -> None:
    """Write an installable package with a metric and its test.

    NAME is the name of the distribution, such as acme-brevity. Nothing is overwritten.
    """
    from evalharness.cli.scaffold import write_package

    written = write_package(name, folder or Path(name))
    if as_json:
        print_json([str(path) for path in written])
        return
    for path in written:
        click.echo(f"wrote {path}")
    root = written[0].parent
    click.echo(f"\nNext:\n  pip install -e '{root}[dev]'\n  evalharness plugin test {name}\n  pytest {root}")


@command.command()
@click.argument("name", required=False)
@json_option
def test(name: str | None, as_json: bool) -> int:
    """Check that installed plugins keep their contract.

    NAME is a plugin package, a distribution or a single plugin; without it, all that is installed is checked. Exits
    with 1 where a check fails.
    """
    from evalharness.testing.packages import installed_outcomes

    outcomes = installed_outcomes(name)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    if as_json:
        print_json([dataclasses.asdict(outcome) for outcome in outcomes])
    else:
        click.echo("\n".join(map(str, outcomes)))
        click.echo(f"\n{len(outcomes)} checks, {failed} failed")
    return int(failed > 0)
