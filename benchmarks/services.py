"""Services: 10,000 requests to a local server that takes 200 ms for each, 64 at once, alone and with 10 % of answers 429 or 500.

    python -m benchmarks.services

A whole `evalharness run` with the model `openai` over 10,000 questions, and the `openai` package asking the same with a
semaphore, each as a process of its own; so is the server, which counts what it answered and for how long. The ideal time is
that of 64 requests always open. Reached must be: 90 % of the ideal rate, memory that does not grow after 2,000 answers, under
20 % of one core; with faults nothing lost, nothing answered twice, at most 1.5 times the ideal time.

Measured on 2 cores beside other work (load 3.5 and 7): 33.3 and 34.0 s, 94 and 92 % of the ideal rate, 20 and 14 % of a core
with start-up and scoring (asking alone 12 %), 131 MB and 134 MB at last; the openai package 68.7 and 67.8 s, 38 and 34 %. With
faults 40.7 and 40.0 s, 1.30 and 1.28 times the ideal time, 15 % of a core; the openai package 86.5 and 84.5 s, 39 and 31 %.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import click

from benchmarks.process import EVALHARNESS

REQUESTS, LATENCY, AT_ONCE, FAULTS = 10_000, 0.2, 64, 0.1
IDEAL_SECONDS = REQUESTS * LATENCY / AT_ONCE
EARLY = 2_000
LEAST_RATE, MOST_CORE, MOST_WITH_FAULTS, MOST_GROWTH_MB = 0.9, 0.2, 1.5, 20
TASK = """name: numbers
version: 1
description: Numbers that a local server gives back.
dataset:
  path: questions.jsonl
  fields: {{id: id, input: question, references: answers}}
output_type: generate
system:
  name: local
  prompt: "{{{{ input }}}}"
  model: {{openai: {{model: m, base_url: "{url}", concurrency: {at_once}}}}}
  generate: {{max_tokens: 16}}
metrics: [exact_match]
"""


@dataclass(frozen=True)
class Asked:
    """What a client took: the server's counts, its share of one core, and its memory in MB after 2,000 answers and at last."""

    counts: dict[str, Any]
    seconds: float
    processor: float
    early_mb: float
    last_mb: float
    output: str

    @property
    def core(self) -> float:
        """Processor time by time, of the whole process."""
        return self.processor / self.seconds

    def line(self) -> str:
        """Return the figures in words."""
        seconds = self.counts["seconds"]
        return (
            f"{seconds:.1f} s ({IDEAL_SECONDS / seconds:.1%} of the ideal rate, {seconds / IDEAL_SECONDS:.2f} times its time), "
            f"{self.core:.1%} of a core ({self.processor:.1f} s in {self.seconds:.1f} s), memory {self.early_mb:.0f} MB after "
            f"{EARLY:,} answers, {self.last_mb:.0f} MB at last; {self.counts['failed']:,} faults"
        )


@contextmanager
def server(faults: float) -> Iterator[int]:
    """Run the server in a process of its own and give its port."""
    command = [sys.executable, "-m", "benchmarks.chat_server", "--latency", str(LATENCY), "--faults", str(faults)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def counts_of(port: int) -> dict[str, Any]:
    with urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        counted: dict[str, Any] = json.load(answer)
        return counted


def resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(command: Sequence[str], port: int) -> Asked:
    """Run a client to its end, and look at its memory on the way."""
    start, early, last = time.monotonic(), 0.0, 0.0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while (done := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            answered = counts_of(port)["answered"]
            if answered < REQUESTS:
                last = resident_mb(process.pid)
            early = early or (last if answered >= EARLY else 0.0)
            time.sleep(0.5)
        _, status, usage = done
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        click.echo(text[-4000:], err=True)
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}")
    seconds = time.monotonic() - start
    return Asked(counts_of(port), seconds, usage.ru_utime + usage.ru_stime, early, last, text)


def ours(folder: Path, faults: float) -> Asked:
    """Run the task, and stop the benchmark where an answer is missing, wrong or was given twice."""
    folder.mkdir()
    with server(faults) as port, open(folder / "questions.jsonl", "w", encoding="utf-8") as questions:
        questions.writelines(
            json.dumps({"id": f"q{number}", "question": f"What is {number}?", "answers": [str(number)]}) + "\n"
            for number in range(REQUESTS)
        )
        questions.flush()
        (folder / "task.yaml").write_text(TASK.format(url=f"http://127.0.0.1:{port}/v1", at_once=AT_ONCE), encoding="utf-8")
        places = ["--out", str(folder / "out"), "--store", str(folder / "store.sqlite")]
        asked = measure([EVALHARNESS, "run", str(folder / "task.yaml"), *places], port)
    record = json.loads((folder / "out" / "record.json").read_text(encoding="utf-8"))
    score, usage = record["scores"]["exact_match"], record["usage"]
    wanted = {"value": 1.0, "samples": REQUESTS, "requests": REQUESTS, "retries": asked.counts["failed"]}
    found = {name: {**score, **usage}[name] for name in wanted}
    if found != wanted or asked.counts["answered"] != REQUESTS or asked.counts["different"] != REQUESTS:
        sys.exit(f"wanted {wanted}, found {found}; the server counted {asked.counts}")
    return asked


def theirs(faults: float) -> Asked:
    """Let the `openai` package ask, and stop the benchmark where not everything was answered rightly."""
    with server(faults) as port:
        url = f"http://127.0.0.1:{port}/v1"
        asked = measure([sys.executable, "-m", "benchmarks.openai_client", url, str(REQUESTS)], port)
    if int(asked.output) != REQUESTS:
        sys.exit(f"the openai package had {asked.output.strip()} right answers, not {REQUESTS}")
    return asked


def holds(plain: Asked, faulty: Asked) -> bool:
    """Return whether the claims hold."""
    return (
        plain.counts["seconds"] <= IDEAL_SECONDS / LEAST_RATE
        and plain.core < MOST_CORE
        and plain.last_mb - plain.early_mb < MOST_GROWTH_MB
        and faulty.counts["seconds"] <= MOST_WITH_FAULTS * IDEAL_SECONDS
    )


@click.command(help=__doc__)
def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        plain, faulty = ours(Path(name) / "plain", 0.0), ours(Path(name) / "faulty", FAULTS)
    package = [theirs(0.0), theirs(FAULTS)]
    click.echo(f"{REQUESTS:,} requests of {LATENCY * 1000:.0f} ms, {AT_ONCE} at once: ideally {IDEAL_SECONDS:.2f} s")
    for faults, asked, peer in zip((0.0, FAULTS), (plain, faulty), package, strict=True):
        click.echo(f"{faults:.0%} of answers 429 or 500\n  evalharness: {asked.line()}\n  openai package: {peer.line()}")
        ratio = peer.counts["seconds"] / asked.counts["seconds"], peer.processor / asked.processor
        click.echo(f"  ratio of time {ratio[0]:.2f}, of processor time {ratio[1]:.1f}")
    sys.exit(not holds(plain, faulty))


if __name__ == "__main__":
    main()
