"""`evalharness plan`: how many samples show which difference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.cli.output import json_option, print_json

if TYPE_CHECKING:
    from evalharness.comparison.plan import Plan, Row

PATH = click.Path(path_type=Path)
DISAGREEMENTS, DIFFERENCES = (0.05, 0.1, 0.2, 0.3), (0.01, 0.02, 0.05)


@click.command("plan")
@click.argument("task", type=PATH)
@click.option(
    "--runs", type=PATH, default=Path("runs"), show_default=True, help="The folder below which past runs are looked for."
)
@click.option("--samples", type=click.IntRange(min=1), help="Plan for this many samples; default: as many as the runs had.")
@click.option(
    "--difference", type=click.FloatRange(min=0, min_open=True),
    help="The difference that is to be shown, in the unit of the score; default: 1 point.",
)  # fmt: skip
@json_option
def command(task: Path, runs: Path, samples: int | None, difference: float | None, as_json: bool) -> None:
    """Say which difference a task can show, and how many samples another one needs.

    The spread of paired differences comes from past runs of the task. A difference counts as shown with 95 % confidence
    and in 80 % of the cases in which it is there.

    \b
    Examples:
      evalharness plan tasks/rag_qa.yaml
      evalharness plan tasks/rag_qa.yaml --samples 1000 --difference 0.02
    """
    from evalharness.comparison.plan import past_runs, plan
    from evalharness.task import load_task

    loaded = load_task(task)
    found = plan(loaded, past_runs(loaded, runs), samples=samples, difference=difference)
    if as_json:
        print_json(_plain(found))
    else:
        click.echo(_text(found, runs))


def _plain(found: Plan) -> dict[str, Any]:
    rows = [{name: value for name, value in vars(row).items() if name != "example"} for row in found.rows]
    return {"task": found.task, "runs": [str(path) for path in found.runs], "rows": rows}


def _text(found: Plan, runs: Path) -> str:
    from evalharness.cli.comparison_report import aligned

    if not found.rows:
        return f"{found.task}: no finished run of this task as it stands is below {runs}.\n\n{_without_runs()}"
    titles = ["score", "samples", "with a value", "detects", "to detect", "samples needed", "basis"]
    table = aligned([titles, *map(_row, found.rows)], left=(0, 6))
    told = "95 % confidence, 80 % power; samples vary as those of the runs did"
    runs_used = "\n".join(f"  {path}" for path in found.runs)
    return f"{found.task} · from past runs:\n{runs_used}\n\n{table}\n\n{told}"


def _row(row: Row) -> list[str]:
    from evalharness.comparison.words import amount

    basis = f"{row.basis}, {row.pairs} pair{'' if row.pairs == 1 else 's'}" if row.pairs else row.basis
    return [
        row.score, f"{row.samples:,}", f"{row.coverage:.0%}", amount(row.detectable, row.example),
        amount(row.difference, row.example), f"{row.needed:,}", basis,
    ]  # fmt: skip


def _without_runs() -> str:
    """Return the sample sizes for shares of right answers, by how often two systems disagree."""
    from evalharness.cli.comparison_report import aligned
    from evalharness.scoring.power import binary_samples

    titles = ["disagree on", *(f"{100 * wanted:g} point{'' if wanted == 0.01 else 's'}" for wanted in DIFFERENCES)]
    rows = [
        [f"{rate:.0%}", *(f"{binary_samples(rate, wanted):,}" if wanted < rate else "–" for wanted in DIFFERENCES)]
        for rate in DISAGREEMENTS
    ]
    return (
        "Samples that show a difference between two shares of right answers (95 % confidence, 80 % power), by the share of\n"
        f"samples on which the systems disagree:\n\n{aligned([titles, *rows], left=(0,))}\n\n"
        "Samples in groups need 1 + (group size - 1) * correlation times as many. Run two systems for figures of this task."
    )
