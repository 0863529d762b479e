"""`evalharness export`: runs in the formats that others read."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.output import json_option, print_json
from evalharness.results.export import FORMATS

PATH = click.Path(path_type=Path)
LISTED = "\b\nFormats:\n" + "\n".join(f"  {name:<16} {each.description}" for name, each in FORMATS.items())


@click.command("export", epilog=LISTED)
@click.argument("runs", type=PATH, nargs=-1, required=True, metavar="RUN...")
@click.option("--format", "form", required=True, metavar="FORMAT", help=f"{', '.join(FORMATS)}, or one that a plugin renders.")
@click.option("--out", type=PATH, help="A file; of formats with samples, a folder to write files into. Default: print.")
@json_option
def command(runs: tuple[Path, ...], form: str, out: Path | None, as_json: bool) -> None:
    """Write the records of runs in a format that others read.

    RUN is a run folder or a record file.

    \b
    Examples:
      evalharness export runs/rag_qa/dense runs/rag_qa/bm25 --format markdown
      evalharness export runs/rag_qa/dense --format lm-eval --out results
    """
    from evalharness.results import read_record
    from evalharness.results.export import export, render

    if out is not None:
        files = [str(path) for path in export(runs, form, out)]
        print_json({"format": form, "files": files}) if as_json else click.echo("\n".join(files))
        return
    text = render([read_record(run) for run in runs], form)
    print_json({"format": form, "text": text}) if as_json else click.echo(text)
