"""`evalharness study`: the result of a training task as a document."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.output import json_option, print_json

PATH = click.Path(path_type=Path)


@click.command("study")
@click.argument("task", type=PATH)
@click.option("--runs", type=PATH, metavar="DIR", help="The folder that the task was run into; default: runs/NAME.")
@click.option("--out", type=PATH, metavar="FILE", help="The document; default: docs/studies/NAME.md.")
@json_option
def command(task: Path, runs: Path | None, out: Path | None, as_json: bool) -> None:
    """Write the result of a training task from its run folders.

    A table a score: each arm with its interval, its change since before training, its difference to the first arm, and
    whether a difference is shown. Of a task that varies a number: curves, break points and ranks. Plots stand in a folder
    beside the document. Nothing is trained.

    \b
    Examples:
      evalharness study tasks/instruction_tuning.yaml
      evalharness study tasks/loss_robustness.yaml --runs runs/loss_robustness-quick --out quick.md
    """
    from evalharness.training.study import write_study

    path = write_study(task, runs=runs, out=out)
    if as_json:
        print_json({"path": str(path)})
    else:
        click.echo(str(path))
