"""Overhead: 20,000 recorded responses scored with exact_match and written sample by sample, here and in lm-evaluation-harness.

    python -m benchmarks.overhead --lm-eval-python PATH

PATH is the Python of an environment of its own with `lm-eval==0.4.13` (and torch, which it imports). Both harnesses read
the same documents and score the same responses (the model `dummy` there answers `lol` to everything; here the same answers
are recorded), whole processes are timed, and both must arrive at the same score.

Measured on 2 cores: 2.19 s against 57.0 s, 26 times.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.process import EVALHARNESS, Finished, measure
from benchmarks.responses import write_task

SAMPLES = 20_000
ROUNDS = 3
EXPECTED = 0.5
LIMIT = 10
LM_EVAL_TASK = """task: recorded
dataset_path: json
dataset_kwargs:
  data_files:
    test: {documents}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answers[0]}}}}"
generation_kwargs: {{until: ["\\n"], do_sample: false, max_gen_toks: 16}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""


def run_lm_eval(python: str, folder: Path, *extra: str) -> Finished:
    """Run lm-evaluation-harness with its dummy model on the documents of the folder, samples logged."""
    tasks = folder / "lm_eval"
    tasks.mkdir(exist_ok=True)
    (tasks / "recorded.yaml").write_text(LM_EVAL_TASK.format(documents=folder / "documents.jsonl"), encoding="utf-8")
    command = [python, "-m", "lm_eval", "run", "--model", "dummy", "--tasks", "recorded", "--include_path", str(tasks)]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    return measure([*command, "--log_samples", "--output_path", str(folder / "lm_eval_out"), *extra], environment=offline)


def lm_eval_score(folder: Path) -> float:
    """Return the score of the newest result file, after making sure that every sample was written."""
    results = sorted((folder / "lm_eval_out").rglob("results_*.json"))[-1]
    samples = sorted((folder / "lm_eval_out").rglob("samples_*.jsonl"))[-1]
    with open(samples, encoding="utf-8") as lines:
        written = sum(1 for _ in lines)
    if written != SAMPLES:
        sys.exit(f"lm-evaluation-harness wrote {written} samples, not {SAMPLES}")
    return float(json.loads(results.read_text(encoding="utf-8"))["results"]["recorded"]["exact_match,none"])


def run_evalharness(task: Path, responses: Path, out: Path) -> Finished:
    """Run evalharness on the recorded responses into a run folder."""
    return measure([EVALHARNESS, "run", str(task), "--responses", str(responses), "--out", str(out)])


def evalharness_score(out: Path) -> float:
    """Return the score of a run folder, after making sure that every sample was written."""
    from pyarrow import parquet

    score = json.loads((out / "record.json").read_text(encoding="utf-8"))["scores"]["exact_match"]
    written = parquet.read_metadata(out / "samples.parquet").num_rows
    if written != SAMPLES or score["samples"] != SAMPLES:
        sys.exit(f"evalharness wrote {written} samples and scored {score['samples']}, not {SAMPLES}")
    return float(score["value"])


@click.command(help=__doc__)
@click.option("--lm-eval-python", required=True, type=click.Path(exists=True, dir_okay=False), help="Python with lm-eval 0.4.13.")
def main(lm_eval_python: str) -> None:
    ours: list[Finished] = []
    theirs: list[Finished] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task, responses = write_task(folder, SAMPLES, "exact_match")
        startup = run_lm_eval(lm_eval_python, folder, "--limit", "1").seconds  # also fills the caches of `datasets`
        for number in range(ROUNDS):
            ours.append(run_evalharness(task, responses, folder / f"out{number}"))
            theirs.append(run_lm_eval(lm_eval_python, folder))
        scores = evalharness_score(folder / "out0"), lm_eval_score(folder)
    if scores != (EXPECTED, EXPECTED):
        sys.exit(f"the scores are {scores}, not {EXPECTED}")
    click.echo(f"{SAMPLES} documents, exact_match {EXPECTED} in both, medians of {ROUNDS}")
    click.echo(
        f"lm-evaluation-harness: {wall(theirs):.1f} s (one document: {startup:.1f} s), processor {processor(theirs):.1f} s"
    )
    click.echo(f"evalharness: {wall(ours):.2f} s, processor {processor(ours):.2f} s")
    click.echo(f"ratio: {wall(theirs) / wall(ours):.1f}, of processor time {processor(theirs) / processor(ours):.1f}")
    sys.exit(wall(theirs) / wall(ours) < LIMIT)


def wall(runs: list[Finished]) -> float:
    """Return the median wall time in seconds."""
    return statistics.median(run.seconds for run in runs)


def processor(runs: list[Finished]) -> float:
    """Return the median processor time in seconds, which other work on the machine hardly changes."""
    return statistics.median(run.processor for run in runs)


if __name__ == "__main__":
    main()
