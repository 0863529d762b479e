"""The records of the example board `leaderboards/losses`: generated responses, really scored.

    python -m benchmarks.example_board leaderboards/losses

Writes the questions and the responses of five made-up systems beside the board's task, runs it on each and adds the runs.
The same call gives the same records, but for what a record says of its making.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import click

from evalharness import running
from evalharness.leaderboard.submission import add

# How often each made-up system gets a word wrong.
SYSTEMS = {
    "generated-untrained": 0.5,
    "generated-supervised": 0.2,
    "generated-label-smoothing": 0.18,
    "generated-focal": 0.25,
    "generated-dft": 0.12,
}
ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SAMPLES = 150


def in_words(number: int) -> list[str]:
    """Return a number below 1,000 as words."""
    if number >= 100:
        rest = in_words(number % 100) if number % 100 else []
        return [ONES[number // 100], "hundred", *rest]
    if number >= 20:
        return [TENS[number // 10 - 1], *(ONES[number % 10 : number % 10 + 1] if number % 10 else [])]
    return [ONES[number]]


def write_data(folder: Path) -> None:
    """Write the questions and the responses of all systems."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = sorted(random.Random(0).sample(range(1_000), SAMPLES))
    questions = [
        {"id": f"n{number:03d}", "question": f"Write {number} in words.", "answers": [" ".join(in_words(number))]}
        for number in numbers
    ]
    _write(folder / "questions.jsonl", questions)
    for system, rate in SYSTEMS.items():
        _write(
            folder / f"{system}.jsonl",
            [{"id": f"n{number:03d}", "response": _answer(system, number, rate)} for number in numbers],
        )


def _answer(system: str, number: int, rate: float) -> str:
    """Return the words of a number, some of them wrong; a number that is hard is so for all systems."""
    shared, own = random.Random(f"shared {number}"), random.Random(f"{system} {number}")
    rate *= 2 * shared.random()
    return " ".join(own.choice(ONES + TENS) if own.random() < rate else word for word in in_words(number))


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


@click.command(help=__doc__)
@click.argument("board", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(board: Path) -> None:
    write_data(board / "data")
    with tempfile.TemporaryDirectory() as temporary:
        for system in SYSTEMS:
            run = Path(temporary, system)
            responses, store = board / "data" / f"{system}.jsonl", Path(temporary, "store.sqlite")
            command = f"evalharness run {board / 'task.yaml'} --responses {responses}"
            running.run(board / "task.yaml", responses=responses, out=run, store=store, command=command)
            click.echo(f"added {add(board, run).folder}")


if __name__ == "__main__":
    main()
