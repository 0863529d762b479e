"""`evalharness compare`: is b better than a?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalharness.cli.output import json_option, print_json
from evalharness.errors import DataError

if TYPE_CHECKING:
    from evalharness.comparison import Comparison
    from evalharness.comparison.gates import Gate

PATH = click.Path(path_type=Path)
EVERY = "*"


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=PATH)
@click.option("--score", "scores", multiple=True, metavar="SCORE", help="Compare this score only; may be repeated.")
@click.option("--by", metavar="FIELD", help="Compare within each value of this field of the samples, too.")
@click.option(
    "--fail-if-worse", "worse", is_flag=False, flag_value=EVERY, metavar="[SCORE]",
    help="Exit with 1 unless this score (or every score) is shown not to be worse by --margin.",
)  # fmt: skip
@click.option(
    "--margin", type=float, help="How much worse is still good enough, in points (hundredths of the range); default: 1."
)
@click.option(
    "--fail-under", "under", multiple=True, metavar="SCORE=VALUE",
    help="Exit with 1 if a run after the first is worse than this; may be repeated.",
)  # fmt: skip
@click.option("--junit", type=PATH, metavar="FILE", help="Write the gates, or the verdicts, as JUnit XML.")
@click.option("--markdown", type=PATH, metavar="FILE", help="Write a summary for a pull request.")
@json_option
def command(
    runs: tuple[Path, ...], scores: tuple[str, ...], by: str | None, worse: str | None, margin: float | None,
    under: tuple[str, ...], junit: Path | None, markdown: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Compare runs of one task: is B better than A?

    RUNS are run folders, or records with their replicates beside them; the first is what the others are compared with.
    Differences are paired sample by sample, p-values adjusted for the number of scores (Holm). Three and more runs are
    ranked. Exit codes: 0 done, 1 a gate failed, 2 the runs cannot be compared.

    \b
    Examples:
      evalharness compare runs/rag_qa/bm25-1f0c2d3e runs/rag_qa/dense-5a6b7c8d
      evalharness compare runs/a runs/b --by kind --score token_f1
      evalharness compare runs/main runs/new --fail-if-worse token_f1 --margin 2 --junit gates.xml
    """
    from evalharness.comparison import compare, summaries

    if worse is not None and Path(worse).exists():
        raise click.UsageError(f"--fail-if-worse took '{worse}' for a score; name the runs first, or write --fail-if-worse SCORE")
    if len(runs) < 2:
        raise click.UsageError("name two runs or more, for example: evalharness compare runs/a runs/b")
    comparison = compare(*runs, scores=scores, by=by)
    gates = _gates(comparison, worse, margin, under)
    if junit is not None:
        _write(junit, summaries.junit(comparison, gates))
    if markdown is not None:
        _write(markdown, summaries.markdown(comparison, gates))
    _print(comparison, gates, scores, as_json)
    return 0 if all(gate.passed for gate in gates) else 1


def _gates(comparison: Comparison, worse: str | None, margin: float | None, under: tuple[str, ...]) -> list[Gate]:
    from evalharness.comparison.gates import not_worse, reaches, thresholds

    if margin is not None and worse is None:
        raise click.UsageError("--margin belongs to --fail-if-worse, which is missing")
    wanted = thresholds(under, [line.score for line in comparison.pairs[0].lines])
    gates = [gate for one in comparison.results[1:] for gate in reaches(one.label, one.record.scores, wanted)]
    if worse is not None:
        gates += not_worse(comparison, None if worse == EVERY else worse, margin)
    return gates


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error


def _print(comparison: Comparison, gates: list[Gate], scores: tuple[str, ...], as_json: bool) -> None:
    from evalharness.cli.comparison_report import text

    if as_json:
        print_json({**comparison.plain(), "gates": [asdict(gate) for gate in gates]})
    else:
        click.echo(text(comparison, gates, scores))
