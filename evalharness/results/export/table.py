"""Several records as one table: scores in rows, runs in columns, and what must be said beneath."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.results.record import Record
from evalharness.results.wording import ARROWS, notes, number

if TYPE_CHECKING:
    from evalharness.scoring import Score

NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """A table in plain text, before a format escapes it: the first column names the scores."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def table_of(records: Sequence[Record]) -> Table:
    """Return the table of records: for each run the value with its interval, and the samples in it."""
    tasks = dict.fromkeys(str(record.task["name"]) for record in records)
    titles = _titles(records, several=len(tasks) > 1)
    names = dict.fromkeys(name for record in records for name in record.scores)
    head = ("score", *(cell for title in titles for cell in (title, "samples")))
    rows = tuple(_row(name, records) for name in names)
    told = [*_cautions(records, names), *(note for pair in zip(titles, records, strict=True) for note in _notes(*pair))]
    return Table(f"{', '.join(tasks)}: {_legend(records)}", head, rows, tuple(told))


def _titles(records: Sequence[Record], *, several: bool) -> list[str]:
    """Return what each run is called: its system, with its task where there are several, numbered where names meet."""
    names = [f"{record.system['name']}, {record.task['name']}" if several else str(record.system["name"]) for record in records]
    counts, seen = Counter(names), Counter[str]()
    titles = []
    for name in names:
        seen[name] += 1
        titles.append(f"{name} ({seen[name]})" if counts[name] > 1 else name)
    return titles


def _legend(records: Sequence[Record]) -> str:
    scores = [score for record in records for score in record.scores.values()]
    levels = sorted({f"{score.level:.4g}" for score in scores})
    percent = " and ".join(f"{100 * float(level):.4g}" for level in levels)
    directions = [f"{ARROWS[better]} {better} is better" for better in ARROWS if any(score.better == better for score in scores)]
    return "; ".join([f"values with {percent} % intervals" if levels else "no scores", *directions])


def _row(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    scores = [record.scores.get(name) for record in records]
    better = next(score.better for score in scores if score is not None)
    return (f"{name} {ARROWS[better]}", *(cell for score in scores for cell in _cells(score)))


def _cells(score: Score | None) -> tuple[str, str]:
    if score is None:
        return NOTHING, NOTHING
    value = NOTHING if score.value is None else number(score.value)
    if score.low is not None and score.high is not None:
        value += f" ({number(score.low)} to {number(score.high)})"
    return value, f"{score.samples:,}"


def _cautions(records: Sequence[Record], names: Iterable[str]) -> Iterator[str]:
    """Yield why numbers that stand side by side may not be of one kind."""
    digests: dict[str, set[str]] = {}
    for record in records:
        digests.setdefault(str(record.task["name"]), set()).add(str(record.task.get("digest")))
    for task, found in digests.items():
        if len(found) > 1:
            yield f"the runs are of {len(found)} different definitions of the task {task}"
    for name in names:
        signatures = {record.scores[name].signature for record in records if name in record.scores}
        if len(signatures) > 1:
            yield f"{name}: measured in {len(signatures)} different ways ({'; '.join(sorted(signatures))})"


def _notes(title: str, record: Record) -> list[str]:
    """Return the notes on a run's scores, each with the scores that it is about."""
    about: dict[str, list[str]] = {}
    for name, score in record.scores.items():
        for note in notes(score):
            about.setdefault(note, []).append(name)
    every = len(record.scores)
    return [f"{title}, {'all scores' if len(names) == every else ', '.join(names)}: {note}" for note, names in about.items()]
