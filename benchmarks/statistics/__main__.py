"""The tables of the design reference's statistics, simulated with the shipped code and held against its figures.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.statistics [TABLE ...] [--runs N]

Printed for each cell: our figure, the reference's, the standard error of simulation of both, their distance in standard
errors of the difference (what rounding explains is taken off first), and a mark beyond 3.5. Ends with exit code 1 where
one cell lies farther off than the largest of so many would by chance once in a hundred times (Bonferroni). Every cell has
random numbers of its own, the same each time. `--runs 10` takes less than a minute. One thread for the matrix products
is faster by far where other work runs beside it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import click

from benchmarks.statistics.coverage import coverage, held_out
from benchmarks.statistics.figures import Cell, Compared, beyond_chance, compare, limit, line, read_figures
from benchmarks.statistics.many import many
from benchmarks.statistics.paired import paired
from benchmarks.statistics.ranking import ranks
from benchmarks.statistics.seeds import seeds
from benchmarks.statistics.stopping import stopping
from benchmarks.statistics.unscored import unscored

TABLES: dict[str, Callable[..., Iterator[Cell]]] = {
    "coverage": coverage,
    "holdout": held_out,
    "paired": paired,
    "unscored": unscored,
    "many": many,
    "ranks": ranks,
    "stopping": stopping,
    "seeds": seeds,
}
HEAD = f"{'':62} {'here':>9} {'reference':>14} {'se':>8} {'its se':>8} {'z':>6}"


@click.command(help=__doc__)
@click.argument("tables", nargs=-1, type=click.Choice(list(TABLES)))
@click.option("--runs", type=click.IntRange(5), help="Simulations a cell; without, as many as the reference made.")
def main(tables: tuple[str, ...], runs: int | None) -> None:
    figures, compared = read_figures(), list[Compared]()
    for table in tables or TABLES:
        start = time.perf_counter()
        click.echo(f"\n{table}\n{HEAD}")
        for cell in TABLES[table](**({} if runs is None else {"runs": runs})):
            compared.append(compare(cell, figures[table, cell.name]))
            click.echo(line(compared[-1]))
        click.echo(f"{time.perf_counter() - start:.0f} s")
    off = beyond_chance(compared)
    click.echo(f"\n{len(compared)} cells; beyond {limit(len(compared)):.1f} standard errors of the difference: {len(off)}")
    for one in off:
        click.echo(line(one))
    sys.exit(bool(off))


if __name__ == "__main__":
    main()
