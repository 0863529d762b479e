"""`evalharness import`: results of another harness as run folders."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.output import json_option, print_json

PATH = click.Path(path_type=Path)


@click.command("import")
@click.argument("file", type=PATH)
@click.option("--out", type=PATH, required=True, help="The folder for the run folders, one for each task of the file.")
@json_option
def command(file: Path, out: Path, as_json: bool) -> None:
    """Turn a results file of lm-evaluation-harness into run folders.

    FILE is a results_*.json. Where the samples_*.jsonl of a task stand beside it, scores are computed from the samples,
    so that two imported runs can be compared; otherwise value and interval are those that the file states.

    \b
    Example:
      evalharness import results/model/results_2026-11-24T14-52-41.062669.json --out runs/imported
    """
    from evalharness.cli.report import table
    from evalharness.results import read_record
    from evalharness.results.importing import import_results

    folders = import_results(file, out)
    if as_json:
        print_json({"runs": [str(folder) for folder in folders]})
    else:
        click.echo("\n\n".join(table(read_record(folder)) for folder in folders))
