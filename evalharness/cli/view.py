"""`evalharness view`: write one page of a run."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.output import json_option, print_json

PATH = click.Path(path_type=Path)


@click.command("view")
@click.argument("run", type=PATH)
@click.option("--out", type=PATH, help="The page's file; default: view.html in the run folder.")
@json_option
def command(run: Path, out: Path | None, as_json: bool) -> None:
    """Write one page of a run: scores, slices and every sample.

    The page is a single file that opens in a browser without a network, with filters, search and distributions. It holds
    all texts of the run.

    \b
    Examples:
      evalharness view runs/rag_qa/dense-smollm2-1f0c2d3e
      evalharness view runs/rag_qa/dense-smollm2-1f0c2d3e --out dense.html
    """
    from evalharness.pages.view import write_view

    path = write_view(run, out)
    if as_json:
        print_json({"path": str(path)})
    else:
        click.echo(str(path))
