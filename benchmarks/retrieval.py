"""How fast a run is scored from plain dictionaries, beside pytrec_eval and ranx.

    OMP_NUM_THREADS=1 python -m benchmarks.retrieval [--ranx-python PATH]

5,000 topics of 100 documents, 30 judged each, no equal scores: `ndcg@10`, `map`, `mrr`, `retrieval_recall@100` and
`retrieval_precision@10`. PATH is the interpreter of another environment that has ranx 0.3.21; without it that peer is left
out. Printed: seconds of processor time, the best of several alternating rounds (cold: a process of its own with an empty
cache of compiled code, imports and first evaluation together), the ratios, and the largest difference of a value. Ends with
exit code 1 where values differ by more than 1e-9, or where it is slower than pytrec_eval, less than 50 times as fast as ranx
cold or 3 times as fast as ranx warm.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from evalharness_retrieval import RunScores, evaluate_run

TOPICS, DOCUMENTS, RELEVANT, OTHERS, ROUNDS = 5_000, 100, 20, 10, 7
NAMES = {  # ours: pytrec_eval's to ask, pytrec_eval's in the answer, ranx's
    "ndcg@10": ("ndcg_cut.10", "ndcg_cut_10", "ndcg@10"),
    "map": ("map", "map", "map"),
    "mrr": ("recip_rank", "recip_rank", "mrr"),
    "retrieval_recall@100": ("recall.100", "recall_100", "recall@100"),
    "retrieval_precision@10": ("P.10", "P_10", "precision@10"),
}
AT_LEAST = {"pytrec_eval": 1.0, "ranx, cold": 50.0, "ranx, warm": 3.0}
COLD = """
import json, sys, time
qrels, run, names = json.load(open(sys.argv[1]))
start, used = time.perf_counter(), time.process_time()
from evalharness_retrieval import evaluate_run
evaluate_run(qrels, run, names)
print(json.dumps([time.process_time() - used, time.perf_counter() - start]))
"""
RANX = """
import json, sys, time
qrels, run, names = json.load(open(sys.argv[1]))
taken = []
for _ in range(4):
    start, used = time.perf_counter(), time.process_time()
    from ranx import Qrels, Run, evaluate
    found = evaluate(Qrels(qrels), Run(run), names)
    taken.append([time.process_time() - used, time.perf_counter() - start])
print(json.dumps([taken, found]))
"""


def made_up() -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Return judgements and a run; scores are whole numbers, which float32 tells apart."""
    chance = random.Random(0)
    documents = [f"doc{number}" for number in range(100_000)]
    run, qrels = {}, {}
    for topic in map(str, range(TOPICS)):
        found = chance.sample(documents, DOCUMENTS)
        run[topic] = dict(zip(found, map(float, chance.sample(range(1_000_000), DOCUMENTS)), strict=True))
        judged = chance.sample(documents, OTHERS) + chance.sample(found, RELEVANT)
        qrels[topic] = {key: chance.randrange(4) for key in judged}
    return qrels, run


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds of processor time and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def in_process(qrels: Any, run: Any) -> tuple[float, float, RunScores, dict[str, dict[str, float]]]:
    """Return the best time of this package and of pytrec_eval, and what both found."""
    import pytrec_eval

    asked = {names[0] for names in NAMES.values()}
    ours, theirs = [], []
    for _ in range(ROUNDS):
        seconds, found = timed(lambda: evaluate_run(qrels, run, list(NAMES)))
        ours.append(seconds)
        seconds, expected = timed(lambda: pytrec_eval.RelevanceEvaluator(qrels, asked).evaluate(run))
        theirs.append(seconds)
    return min(ours), min(theirs), found, expected


def elsewhere(python: str, code: str, qrels: Any, run: Any, names: list[str]) -> Any:
    """Return what a program prints in a process of its own, given the data and names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.json")
        path.write_text(json.dumps([qrels, run, names]), encoding="utf-8")
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        done = subprocess.run([python, "-c", code, str(path)], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{python} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def beside_ranx(python: str, qrels: Any, run: Any, ours: float, found: RunScores) -> tuple[dict[str, tuple[float, float]], float]:
    """Return our time and that of ranx, cold and warm, and the largest difference of a mean."""
    cold = elsewhere(sys.executable, COLD, qrels, run, list(NAMES))
    taken, expected = elsewhere(python, RANX, qrels, run, [names[2] for names in NAMES.values()])
    warm = min(seconds for seconds, _ in taken[1:])
    off = max(abs(found.scores[name] - expected[names[2]]) for name, names in NAMES.items())  # type: ignore[operator]
    return {"ranx, cold": (cold[0], taken[0][0]), "ranx, warm": (ours, warm)}, off


@click.command()
@click.option("--ranx-python", help="The interpreter of an environment with ranx 0.3.21.")
def main(ranx_python: str | None) -> None:
    """Print the figures."""
    qrels, run = made_up()
    ours, theirs, found, expected = in_process(qrels, run)
    off = max(
        abs(value - expected[topic][names[1]])
        for name, names in NAMES.items()
        for topic, value in zip(found.topics, found.values[name].tolist(), strict=True)
    )
    rows = {"pytrec_eval": (ours, theirs)}
    if ranx_python is not None:
        more, apart = beside_ranx(ranx_python, qrels, run, ours, found)
        rows, off = {**rows, **more}, max(off, apart)
    click.echo(f"{TOPICS:,} topics of {DOCUMENTS} documents, {', '.join(NAMES)}; seconds of processor time")
    for peer, (here, there) in rows.items():
        click.echo(f"{peer:14} {here:7.3f} here  {there:7.3f} there  ratio {there / here:6.1f}, at least {AT_LEAST[peer]:g}")
    click.echo(f"largest difference of a value: {off:.1e}")
    missed = [peer for peer, (here, there) in rows.items() if there / here < AT_LEAST[peer]]
    if missed or off > 1e-9:
        sys.exit(f"missed: {', '.join(missed) or 'equal values'}")


if __name__ == "__main__":
    main()
