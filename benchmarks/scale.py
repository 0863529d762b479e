"""Scale: 100,000 and 1,000,000 recorded responses with exact_match and token_f1, wall time and peak memory.

    python -m benchmarks.scale

Measured on 2 cores: peak 275 MB and 384 MB, 1.40 times for ten times the samples; about 120 bytes a sample.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.process import EVALHARNESS, Finished, measure
from benchmarks.responses import write_task

SIZES = (100_000, 1_000_000)
LIMIT_MB = 700
FLAT = 1.5  # ten times the samples, half as much memory again at most


def run(samples: int) -> Finished:
    """Run that many recorded responses through the command and make sure that all were scored."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task, responses = write_task(folder, samples, "exact_match, token_f1")
        finished = measure([EVALHARNESS, "run", str(task), "--responses", str(responses), "--out", str(folder / "out")])
        scores = json.loads((folder / "out" / "record.json").read_text(encoding="utf-8"))["scores"]
    if any(score["samples"] != samples for score in scores.values()) or scores["exact_match"]["value"] != 0.5:
        sys.exit(f"not all of the {samples} samples were scored: {scores}")
    return finished


@click.command(help=__doc__)
@click.option("--samples", type=int, multiple=True, default=SIZES, show_default=True, help="How many; may be repeated.")
def main(samples: tuple[int, ...]) -> None:
    found = {}
    for number in samples:
        found[number] = run(number)
        each = 1e6 * found[number].seconds / number
        click.echo(f"{number} responses: {found[number].seconds:.1f} s ({each:.0f} µs each), peak {found[number].peak_mb:.0f} MB")
    peaks = [finished.peak_mb for finished in found.values()]
    click.echo(f"peak memory of the last against the first: {peaks[-1] / peaks[0]:.2f} times")
    sys.exit(max(peaks) > LIMIT_MB or peaks[-1] > FLAT * peaks[0])


if __name__ == "__main__":
    main()
