"""A board of 1,000 systems x 30 scores: reading it and its standings take under 10 s, building its site under 20 s.

    python -m benchmarks.board
    python -m benchmarks.board --keep DIR      # leaves the board there, to look at its site

The records are made up: values per sample from one ability a system and one difficulty a sample, scores and replicates
from them under the task's own weights. Texts are left out.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from evalharness import registry
from evalharness.data import read_samples
from evalharness.leaderboard import read_board, standings
from evalharness.leaderboard.board import TEXTS_LEFT_OUT
from evalharness.leaderboard.publishing import build_site
from evalharness.results import Record
from evalharness.results.replicates import write_replicates
from evalharness.results.samples import TEXTS
from evalharness.running.parts import build_chain
from evalharness.scoring import Score, hash_keys, seed_of
from evalharness.scoring.generator import BUCKETS, generator_name, weights
from evalharness.task import System, Task, load_task, task_yaml

SYSTEMS, SCORES, SAMPLES = 1_000, 30, 200
READ_SECONDS, BUILD_SECONDS = 10.0, 20.0
BOARD = """\
title: "{title}"
text: |
  Generated: every number on this board is made up, to measure and test the pages with.
tasks: [task.yaml]
rank: {rank}
baselines: [system-0000]
"""
TASK = """\
name: generated
version: 1
description: Made-up questions for a made-up board.
dataset: {{path: questions.jsonl, fields: {{input: question, references: answers}}}}
output_type: generate
system: {{name: none, model: {{recorded: {{path: responses.jsonl}}}}}}
metrics:
{metrics}
"""


def write_board(
    folder: Path, *, systems: int = SYSTEMS, scores: int = SCORES, samples: int = SAMPLES, rank: str = "{by: score_01}"
) -> Path:
    """Write a board of made-up records and return its folder; the same numbers give the same board."""
    names = [f"score_{number:02d}" for number in range(1, scores + 1)]
    questions = [{"id": f"q{number}", "question": f"question {number}", "answers": ["yes"]} for number in range(samples)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "questions.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in questions), encoding="utf-8")
    metrics = "\n".join(f"  - {{token_f1: {{}}, as: {name}}}" for name in names)
    (folder / "task.yaml").write_text(TASK.format(metrics=metrics), encoding="utf-8")
    title = f"Generated board of {systems:,} systems"
    (folder / "board.yaml").write_text(BOARD.format(title=title, rank=rank), encoding="utf-8")
    maker = _Maker(load_task(folder / "task.yaml"), names, samples)
    for number in range(systems):
        maker.write(folder / "records" / f"system-{number:04d}", number)
    return folder


class _Maker:
    """Makes up the records of one task."""

    def __init__(self, task: Task, names: list[str], samples: int) -> None:
        self.task, self.names, self.ids = task, names, [f"q{number}" for number in range(samples)]
        self.hashes = hash_keys(self.ids)
        self.seed = seed_of(task.name, task.version, task.group)
        self.weights = weights(self.seed, self.hashes % np.uint64(BUCKETS)).T.astype(np.float64)
        self.difficulty = np.random.default_rng(0).normal(0, 0.5, (samples, len(names)))
        source = read_samples(task).dataset
        self.dataset = {"source": task.dataset.source.plain(), "digest": source.digest(), "samples": samples, "faults": 0}
        entries = build_chain(task, registry.installed()).entries
        self.signatures = {entry.name: entry.metric.signature() for entry in entries}
        self.fingerprint = f"{int(self.hashes.sum(dtype=np.uint64)):016x}"

    def write(self, folder: Path, number: int) -> None:
        """Write the record of one system."""
        drawn = np.random.default_rng([1, number])
        ability = drawn.normal(0, 0.3)
        noise = drawn.normal(0, 0.5, self.difficulty.shape)
        values = np.clip(0.5 + 0.2 * (ability - self.difficulty + noise), 0, 1)
        folder.mkdir(parents=True)
        replicates = (self.weights @ values / self.weights.sum(1, keepdims=True)).astype(np.float32)
        write_replicates(folder / "replicates.npz", {name: replicates[:, place] for place, name in enumerate(self.names)})
        (folder / "record.json").write_text(self._record(folder.name, number, values).to_json(), encoding="utf-8")
        (folder / "task.yaml").write_text(task_yaml(self.task), encoding="utf-8")
        self._write_samples(folder / "samples.parquet", values)

    def _record(self, name: str, number: int, values: NDArray[np.float64]) -> Record:
        system = System(name=name, model=self.task.system.model)
        task = {"name": self.task.name, "version": self.task.version, "digest": self.task.digest()}
        usage = {
            "requests": len(self.ids),
            "from_store": 0,
            "input_tokens": 90_000 + 50 * number,
            "output_tokens": 2_000 + number,
        }
        return Record(
            task={**task, "output_type": "generate", "fewshot": 0},
            dataset={**self.dataset, "limit": None, "revision": None},
            system={"name": name, "digest": f"{number:032x}", "spec": system.plain(), "identity": {"model": f"{number:032x}"}},
            scores={score: self._score(score, values[:, place]) for place, score in enumerate(self.names)},
            makers={key: {"plugin": "text", "distribution": "evalharness", "version": "0.1.0"} for key in self.names},
            usage={**usage, "seconds": 10.0 + number % 97, "troubles": []},
            provenance={
                "created": "2026-01-01T00:00:00+0000",
                "folder": name,
                "task_file": "task.yaml",
                "command": "generated",
                TEXTS_LEFT_OUT: True,
            },
        )

    def _score(self, name: str, values: NDArray[np.float64]) -> Score:
        mean, se, samples = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values)
        return Score(
            value=mean, low=mean - 1.972 * se, high=mean + 1.972 * se, interval="bounded mean", samples=samples, groups=samples,
            range=[0, 1], se=se, df=samples - 1.0, signature=self.signatures[name], fingerprint=self.fingerprint,
            generator=generator_name(self.seed, BUCKETS), replicates=self.weights.shape[0],
        )  # fmt: skip

    def _write_samples(self, path: Path, values: NDArray[np.float64]) -> None:
        """Write samples without texts."""
        samples = len(self.ids)
        columns: dict[str, Any] = {name: pyarrow.nulls(samples, pyarrow.string()) for name in TEXTS}
        columns |= {"id": self.ids, "group": self.ids, "repeat": pyarrow.array([0] * samples, pyarrow.int32())}
        ones = pyarrow.array(np.ones(samples))
        scores = [pyarrow.array(values[:, place]) for place in range(len(self.names))]
        sums = [pyarrow.StructArray.from_arrays([each, ones], ["value", "value.count"]) for each in scores]
        statuses = [pyarrow.nulls(samples, pyarrow.string())] * len(self.names)
        for name, parts in {"scores": scores, "statistics": sums, "statuses": statuses}.items():
            columns[name] = pyarrow.StructArray.from_arrays(parts, self.names)
        parquet.write_table(pyarrow.table(columns), path, compression="zstd")


def timed(what: str, job: Callable[[], Any]) -> tuple[Any, float]:
    """Do a job, print how long it took, and return its result and the seconds."""
    start = time.perf_counter()
    result = job()
    seconds = time.perf_counter() - start
    click.echo(f"{what}: {seconds:.1f} s")
    return result, seconds


@click.command(help=__doc__)
@click.option("--systems", default=SYSTEMS, show_default=True)
@click.option("--rank", default="{by: score_01}", show_default=True, help="The ranking rule of the board.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where to leave the board.")
def main(systems: int, rank: str, keep: Path | None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder, _ = timed("made up", lambda: write_board(keep or Path(temporary), systems=systems, rank=rank))
        board, reading = timed("reading", lambda: read_board(folder))
        found, ranking = timed("standings", lambda: standings(board))
        _, spreading = timed("spreads of all columns", lambda: [found.spreads[column.title] for column in board.columns])
        _, building = timed("the site, all of this included", lambda: build_site(folder))
        size = sum(path.stat().st_size for path in (folder / "site").rglob("*")) / 1e6
    click.echo(f"site: {size:.1f} MB")
    sys.exit(reading + ranking + spreading > READ_SECONDS or building > BUILD_SECONDS)


if __name__ == "__main__":
    main()
