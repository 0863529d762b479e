"""The main job on a fresh machine: `run tasks/rag_qa.yaml` with nothing cached, the same again, and with one metric added.

    python -m benchmarks.main_job

The cache, the store and the run folders are new and empty, so the first run fetches and converts the weights. The network
is needed for that; the packages must be installed.

Measured on 2 cores: 225 s, 1.1 s and 1.0 s; 180, 0 and 0 requests asked.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from benchmarks.process import EVALHARNESS, measure

TASKS = Path(__file__).parent.parent / "tasks"
ADDED = "metrics:\n  - rouge: {variants: [rouge2]}\n    as: added\n"
LIMITS = {"first": 360.0, "again": 10.0}


def run(folder: Path, task: Path, out: str) -> tuple[float, Mapping[str, Any]]:
    """Run a task with the caches of the folder; return the seconds of the whole process and the record."""
    command = [EVALHARNESS, "run", str(task), "--store", str(folder / "store.sqlite"), "--out", str(folder / out)]
    finished = measure(command, environment={"EVALHARNESS_CACHE": str(folder / "cache")})
    click.echo(finished.output)
    return finished.seconds, json.loads((folder / out / "record.json").read_text(encoding="utf-8"))


def copy_with_added_metric(folder: Path) -> Path:
    """Write a copy of the tasks in which rag_qa has one metric more; return its task file."""
    shutil.copytree(TASKS, folder / "tasks")
    task = folder / "tasks" / "rag_qa.yaml"
    text = task.read_text(encoding="utf-8")
    task.write_text(text.replace("metrics:\n", ADDED, 1), encoding="utf-8")
    return task


def asked(record: Mapping[str, Any]) -> int:
    """Return how many requests of a run were asked of the model rather than answered from the store."""
    return int(record["usage"]["requests"])


@click.command(help=__doc__)
def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, record = run(folder, TASKS / "rag_qa.yaml", "first")
        again, second = run(folder, TASKS / "rag_qa.yaml", "again")
        added, third = run(folder, copy_with_added_metric(folder), "added")
    if asked(record) == 0 or asked(second) or asked(third):
        sys.exit(f"requests asked of the model: {asked(record)}, {asked(second)}, {asked(third)}; must be all, 0 and 0")
    if second["scores"] != record["scores"] or len(third["scores"]) <= len(record["scores"]):
        sys.exit("the scores of the second run differ from the first, or the added metric is missing in the third")
    click.echo(f"first run: {first:.0f} s, {asked(record)} requests answered, weights fetched and converted")
    click.echo(f"the same again: {again:.1f} s, 0 requests asked")
    click.echo(f"with one metric added: {added:.1f} s, 0 requests asked")
    click.echo(f"ratio of the first run to the second: {first / again:.1f}")
    sys.exit(first > LIMITS["first"] or again > LIMITS["again"])


if __name__ == "__main__":
    main()
