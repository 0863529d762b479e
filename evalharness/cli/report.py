"""The result table of a run, for 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.results.folder import PICTURES
from evalharness.results.wording import ARROWS, compared, counted, notes, number, stopped

if TYPE_CHECKING:
    from evalharness.results import Record
    from evalharness.scoring import Score

ASKED_AGAIN = ("connection", "timeout", "server", "out of memory")
SHOWN_TROUBLES = 3
SHOWN_SECONDS = 0.05  # less is 0.0 in the table
WIDTH = 78


def table(record: Record) -> str:
    """Return the scores with their intervals, what was not measured and why, and what the run cost."""
    head = f"{record.task['name']} · {record.system['name']} · {counted(record.dataset['samples'], 'sample')}"
    rows = [_row(name, score) for name, score in record.scores.items()]
    titles = ("score", "value", "95% interval", "samples", "")
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    lines = [_line(row, widths) for row in (titles, ["─" * width for width in widths], *rows)]
    return "\n".join(
        [head, "", *lines, "", *_notes(record), *_taken(record.usage), *_folder(Path(str(record.provenance["folder"])))]
    )


def _folder(folder: Path) -> list[str]:
    """Return where the run is, and where the pictures are that its metrics drew."""
    pictures = sorted(folder.glob(f"{PICTURES}/*.png"))
    several = f" and {len(pictures) - 1} more" if len(pictures) > 1 else ""
    return [*([f"figures: {pictures[0]}{several}"] if pictures else []), str(folder)]


def _line(cells: Any, widths: list[int]) -> str:
    name, value, interval, samples, arrow = cells
    return "  ".join(
        [name.ljust(widths[0]), value.rjust(widths[1]), interval.ljust(widths[2]), samples.rjust(widths[3]), arrow]
    ).rstrip()


def _row(name: str, score: Score) -> list[str]:
    interval = "–" if score.low is None or score.high is None else f"{number(score.low)} to {number(score.high)}"
    return [name, "–" if score.value is None else number(score.value), interval, f"{score.samples:,}", ARROWS[score.better]]


def _notes(record: Record) -> list[str]:
    lines: dict[str, list[str]] = {}
    for name, score in record.scores.items():
        for note in notes(score):
            lines.setdefault(note, []).append(name)
    everywhere = len(record.scores)
    told = [f"{'all scores' if len(names) == everywhere else ', '.join(names)}: {note}" for note, names in lines.items()]
    faults = int(record.dataset.get("faults", 0))
    if faults:
        told.append(f"data: {faults:,} could not be read; the run's log.jsonl has file and line of each")
        told += [f"data: {fault}" for fault in record.usage.get("data_faults", ())]
    told += record.usage.get("remarks", ())
    told += [] if record.precision is None else compared(record.precision)
    return [part for note in [*_stopping(record), *told, *_troubles(record)] for part in _wrapped(note)]


def _stopping(record: Record) -> list[str]:
    """Return what the run stopped for, and which intervals allow for that."""
    if record.stopping is None:
        return []
    watched, others = record.stopping["score"], len(record.scores) > 1 and record.stopping["reached"]
    looks = int(record.stopping["looks"])
    honest = f"the interval of {watched} allows for looking after {'each of ' if looks > 1 else ''}{counted(looks, 'stage')}"
    return [
        stopped(record.stopping),
        honest + (f"; those of the other scores do not: {watched} chose the moment" if others else ""),
    ]


def _troubles(record: Record) -> list[str]:
    """Return the most frequent troubles, each with its samples and what to do about it."""
    notes = []
    for trouble in record.troubles[:SHOWN_TROUBLES]:
        where = f" ({counted(trouble['count'], 'time')}; first: {', '.join(trouble['samples'])})" if trouble["samples"] else ""
        again = "; run again to ask once more" if trouble["kind"] in ASKED_AGAIN else ""
        notes.append(f"error, {trouble['kind']}: {trouble['message']}{where}{again}")
    if len(record.troubles) > SHOWN_TROUBLES:
        notes.append(f"{len(record.troubles) - SHOWN_TROUBLES} more kinds of errors are in the run's log.jsonl")
    return notes


def _wrapped(note: str) -> list[str]:
    import textwrap

    return textwrap.wrap(note, width=WIDTH, subsequent_indent="  ")


def _taken(usage: Any) -> list[str]:
    """Return what the run took, and what that cost where prices say it."""
    priced = (usage.get("responses") or {}).get("costs")
    return [*_joined([_requests(usage), _tokens(usage), _time(usage)]), *([f"cost: {_cost(usage)}"] if priced else [])]


def _requests(usage: Any) -> str:
    again = usage.get("retries", 0)  # a record of before has none
    retries = f", {again:,} {'retry' if again == 1 else 'retries'}" if again else ""
    return f"{counted(usage['requests'], 'request')}, {usage['from_store']:,} from the store{retries}"


def _tokens(usage: Any) -> str:
    saved = f" ({usage['saved_tokens']:,} saved by sharing)" if usage.get("saved_tokens") else ""
    return f"{usage['input_tokens']:,} tokens in{saved}, {usage['output_tokens']:,} out"


def _time(usage: Any) -> str:
    """Return the seconds of a run, and of the phases that took some of them, the longest first."""
    phases = sorted(usage.get("phases", {}).items(), key=lambda item: -item[1])
    long = ", ".join(f"{name} {seconds:.1f}" for name, seconds in phases if seconds >= SHOWN_SECONDS)
    return f"{usage['seconds']:.1f} s{f': {long}' if long else ''}"


def _joined(parts: Sequence[str]) -> list[str]:
    """Return the parts in as few lines of the table's width as they need."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines else part
        if lines and len(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _cost(usage: Any) -> str:
    from evalharness.systems.budget import money

    of_all = usage["responses"]
    unknown = sorted(name for name, cost in {**usage["costs"], **of_all["costs"]}.items() if cost is None)
    if usage["cost"] is None or of_all["cost"] is None:
        return f"not known without prices of {', '.join(unknown)}"
    return f"{money(usage['cost'])} US dollars in this run, {money(of_all['cost'])} for all its responses"
