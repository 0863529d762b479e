"""The same run again from the store: 40,000 stored answers of the model `hf`, without torch, transformers or pandas.

    python -m benchmarks.from_store

What the program takes to start is measured with 200 samples and taken off; the rest is answers a second: reading the
samples twice, rendering, keys, the store, `exact_match`, intervals, replicates and the samples file, in one process.

Measured on 2 cores beside other work (load 3 to 5): 17,300 to 21,700 answers a second of processor time, where it was 4,200
before requests were made once; peak 244 MB, of 200,000 answers 289 MB, about 300 bytes an answer.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.process import Finished, measure
from benchmarks.responses import write_task

SAMPLES, FEW = 40_000, 200
WANTED = 20_000  # answers a second
ROUNDS = 3
HEAVY = ("torch", "transformers", "pandas")
COMMAND = f"""
import atexit, sys
from evalharness.cli.main import cli
atexit.register(lambda: print("imported:", *({set(HEAVY)} & sys.modules.keys())))
cli.main(sys.argv[1:])
"""
FILL = """
import sys
from pathlib import Path
import evalharness as eh
from evalharness import registry
from evalharness.data import read_samples
from evalharness.running.execution import make_pipeline
from evalharness.running.parts import build_parts
from evalharness.systems.engine import Engine, to_stored
from evalharness.systems.store import Store
from evalharness.task import load_task

task = load_task(Path(sys.argv[1]))
model = build_parts(task, registry.installed()).model
with Store(Path(sys.argv[2])) as store:
    parts = build_parts(task, registry.installed())
    engine = Engine(store)
    identity = engine.identity(parts.model)
    pipeline = make_pipeline(task, parts, engine, lambda: read_samples(task), lambda work: None)
    for rows in pipeline.rows():
        asked = pipeline.requests(rows, pipeline.contexts(rows))
        answer = eh.Response(text="lol", finish="stop", input_tokens=40, output_tokens=2)
        store.write([to_stored(request.key(identity), "generate", f"hf {identity[:12]}", answer) for request in asked])
"""


def run(task: Path, store: Path, samples: int) -> Finished:
    """Run the task from the store and make sure that every answer came from there, and that nothing heavy was imported."""
    out = task.parent / f"out{samples}"
    words = ["run", str(task), "--store", str(store), "--limit", str(samples), "--out", str(out)]
    finished = measure([sys.executable, "-c", COMMAND, *words])
    record = json.loads((out / "record.json").read_text(encoding="utf-8"))
    usage, score = record["usage"], record["scores"]["exact_match"]
    if (usage["requests"], usage["from_store"], score["samples"], score["value"]) != (0, samples, samples, 0.5):
        sys.exit(f"not all of the {samples} answers came from the store: {usage}, {score}")
    if "imported:\n" not in f"{finished.output}\n":
        sys.exit(f"a run from the store imported what only a model needs: {finished.output.splitlines()[-1]}")
    return finished


@click.command(help=__doc__)
@click.option("--samples", default=SAMPLES, show_default=True, help="How many answers.")
def main(samples: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task, _ = write_task(folder, samples, "exact_match")
        task.write_text(
            task.read_text(encoding="utf-8").replace("model: echo", "model: {hf: {template: auto}}"), encoding="utf-8"
        )
        store = folder / "store.sqlite"
        measure([sys.executable, "-c", FILL, str(task), str(store)])
        few = [run(task, store, FEW) for _ in range(ROUNDS)]
        many = [run(task, store, samples) for _ in range(ROUNDS)]
    start, whole = (min(each.seconds for each in runs) for runs in (few, many))
    start_cpu, whole_cpu = (min(each.processor for each in runs) for runs in (few, many))
    rate, rate_cpu = ((samples - FEW) / (all_of_it - part) for part, all_of_it in ((start, whole), (start_cpu, whole_cpu)))
    peak = max(each.peak_mb for each in many)
    click.echo(f"{FEW} answers from the store: {start:.2f} s; {samples}: {whole:.2f} s, peak {peak:.0f} MB")
    click.echo(f"beyond start-up {rate:,.0f} answers a second; {rate_cpu:,.0f} a second of processor time")
    sys.exit(rate < WANTED)


if __name__ == "__main__":
    main()
