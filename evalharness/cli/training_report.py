"""The result table of a training task: an arm a row, its scores before and after, for 80 columns and more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.results.intervals import interval_of
from evalharness.results.wording import ARROWS, counted, number

if TYPE_CHECKING:
    from evalharness.results import Record

SHOWN_ARMS = 60


def training_table(records: Mapping[str, Record], *, quick: bool) -> str:
    """Return the scores of all arms with their intervals, and how to compare two."""
    arms = list(records)[:SHOWN_ARMS]
    first = records[arms[0]]
    seeds = len((first.seeds or {}).get("seeds", ()))
    samples = counted(int(first.dataset["samples"]), "sample")
    lines = [f"{first.task['name']} · {counted(len(records), 'arm')} · {counted(seeds, 'seed')} · {samples}", ""]
    scores = list(dict.fromkeys(name for arm in arms for name in records[arm].trained_scores))
    for score in scores:
        lines += [*_of_score(score, {arm: records[arm] for arm in arms if score in records[arm].scores}), ""]
    if len(records) > SHOWN_ARMS:
        lines += [f"and {len(records) - SHOWN_ARMS:,} arms more, each in its folder", ""]
    return "\n".join([*lines, *_next(records, quick)])


def _of_score(score: str, records: Mapping[str, Record]) -> list[str]:
    """Return the table of one score."""
    arrow = ARROWS[next(iter(records.values())).scores[score].better]
    rows = [(f"{score} {arrow}", "value", "95% interval", "before training")]
    rows += [(arm, *_cells(record, score)) for arm, record in records.items()]
    shown = 4 if any(row[3] for row in rows[1:]) else 3
    widths = [max(len(row[column]) for row in rows) for column in range(shown)]
    rule = ("─" * widths[0], *("─" * width for width in widths[1:]))
    return [_line(row, widths) for row in (rows[0], rule, *rows[1:])]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    name, value, *rest = row[: len(widths)]
    return "  ".join(
        [
            name.ljust(widths[0]),
            value.rjust(widths[1]),
            *(cell.ljust(width) for cell, width in zip(rest, widths[2:], strict=True)),
        ]
    ).rstrip()


def _cells(record: Record, name: str) -> tuple[str, str, str]:
    before, ends = record.before(name), interval_of(record, name)
    value, was = record.scores[name].value, None if before is None else record.scores[before].value
    interval = "–" if ends is None else f"{number(ends[0])} to {number(ends[1])}"
    return "–" if value is None else number(value), interval, "" if was is None else number(was)


def _next(records: Mapping[str, Record], quick: bool) -> list[str]:
    """Return what to do next, and what these numbers do not say."""
    folders = [str(record.provenance["folder"]) for record in records.values()]
    root = os.path.commonpath([Path(folder).parent for folder in folders])
    lines = [f"Each arm is in a folder in {root}, each seed in one of its own below that."]
    if quick:
        lines.append("A few steps of one seed on a few samples: all of it runs. These numbers show nothing about the arms.")
    elif len(folders) > 1:
        lines.append(f"Is one better? evalharness compare {folders[0]} {folders[1]}")
    return lines
