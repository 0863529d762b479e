"""Whether a record may stand on a board: its task and data, completeness, and scores that follow from its samples."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pyarrow import ArrowException, parquet

from evalharness.contract import Sample
from evalharness.data import data_digests, read_samples
from evalharness.errors import DataError, EvalharnessError, Fault, nearest
from evalharness.leaderboard.board import RECORDS, SITE, TEXTS_LEFT_OUT, Board, Submission, read_what_is_there
from evalharness.leaderboard.folders import differences
from evalharness.leaderboard.names import slug
from evalharness.leaderboard.texts import holds_texts
from evalharness.results.differing import differing
from evalharness.results.folder import SAMPLES, TASK
from evalharness.results.samples import json_text, read_json
from evalharness.running import rescore
from evalharness.task import Task, load_task

SHOWN = 5
NO_PART_OF_THE_TASK = ("system", "description", "repeats")


def reasons_against(submission: Submission, task: Task) -> list[str]:
    """Return every reason why a record may not stand on a board with this task; no model is asked.

    Only the metrics of the board's task are run: where the record's task is another one, nothing is scored again.
    """
    other = _told(lambda: _other_task(submission, task))
    again = [] if other else _told(lambda: _disagreements(submission))
    return list(dict.fromkeys([*submission.problems, *other, *_told(lambda: _other_data(submission, task)), *again]))


def _told(check: Callable[[], Iterable[str]]) -> list[str]:
    """Return what a check finds; what keeps it from looking is a finding too."""
    try:
        return list(check())
    except EvalharnessError as error:
        return [str(error)]


def _other_task(submission: Submission, task: Task) -> Iterator[str]:
    """Yield which keys of the record's task are not those of the board's."""
    own = load_task(submission.folder / TASK)
    if own.digest() != task.digest():
        keys = [path for path, _, _ in differing(_comparable(task), _comparable(own))]
        yield f"its task differs from the board's in {_listed(keys)}; run the board's task file {task.path}"


def _comparable(task: Task) -> dict[str, Any]:
    return {key: value for key, value in task.plain().items() if key not in NO_PART_OF_THE_TASK}


def _listed(words: Iterable[str]) -> str:
    words = list(words)
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def _other_data(submission: Submission, task: Task) -> Iterator[str]:
    """Yield where the record is over other data than the task's, or not over all of it."""
    reader = read_samples(task)
    recorded, own = submission.record.dataset, submission.record.data
    for part, digest in data_digests(task).items():
        if own.get(part) != digest:
            yield f"its {part} have the digest {own.get(part)}, those of the board's task {digest}"
    samples = {sample.id: sample for sample in reader}
    if recorded.get("samples") != len(samples):
        yield f"it says that the data have {recorded.get('samples')} samples; they have {len(samples):,}"
    rows = _stored(submission)
    yield from _other_samples(samples, rows, load_task(submission.folder / TASK).repeats)
    changed = dict.fromkeys(row.id for row in rows if row.id in samples and _changed(samples[row.id], row))
    if changed:
        yield f"groups or fields of {len(changed):,} samples are not those of the data: {_listed(changed)}"


def _other_samples(samples: Mapping[str, Sample], rows: Sequence[_Row], repeats: int) -> Iterator[str]:
    """Yield where the rows are not each sample of the data, once for each repeat."""
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row.repeat)
    absent = [name for name in samples if name not in found]
    strange = [name for name in found if name not in samples]
    uneven = [name for name, numbers in found.items() if sorted(numbers) != list(range(repeats))]
    if absent:
        yield f"{len(absent):,} of {len(samples):,} samples are not in it: {_listed(absent)}"
    if strange:
        yield f"it has {len(strange):,} samples that the data do not have: {_listed(strange)}"
    if uneven:
        each = "once each" if repeats == 1 else f"{repeats} times each, as repeats 0 to {repeats - 1}"
        yield f"{len(uneven):,} samples are not in it {each} (repeats: {repeats} in its task): {_listed(uneven)}"


class _Row(NamedTuple):
    """What tells which sample a row is of, and what was asked: its fields are JSON text."""

    id: str
    repeat: int
    group: str | None
    fields: str | None


def _stored(submission: Submission) -> list[_Row]:
    """Return what the rows of the samples file are of."""
    path = submission.folder / SAMPLES
    try:
        table = parquet.read_table(path, columns=list(_Row._fields))
        columns = [table.column(name).to_pylist() for name in _Row._fields]
    except (OSError, KeyError, ValueError, ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return [_Row(*row) for row in zip(*columns, strict=True)]


def _changed(sample: Sample, row: _Row) -> bool:
    if row.group != (sample.id if sample.group is None else sample.group):
        return True
    if row.fields is None:
        return False
    stored = read_json(row.fields)
    own = {name: value for name, value in sample.fields.items() if name not in ("id", "contexts")}
    return any(stored.get(name) != read_json(json_text(value)) for name, value in own.items() if name in stored)


def _disagreements(submission: Submission) -> Iterator[str]:
    """Yield where scores and replicates do not follow from the samples."""
    if submission.samples is not None and not submission.has_texts and holds_texts(submission.samples):
        yield f"it says that texts were left out ({TEXTS_LEFT_OUT} in its provenance), but its samples hold some"
    agreement = rescore(submission.folder, statistics_only=not submission.has_texts)
    for name, part, recorded, again in agreement.differences:
        yield f"{name}: {part} is {recorded!r} in the record, {again!r} recomputed"


def notes_on(submission: Submission) -> list[str]:
    """Return what must be said of a record that may stand on a board: errors, and what cannot be recomputed."""
    record, notes = submission.record, []
    if record.errors:
        kinds = _listed([f"{trouble['kind']}: {trouble['message']}" for trouble in record.troubles])
        notes.append(f"{record.errors:,} samples were lost to errors" + (f" ({kinds})" if kinds else ""))
    if not submission.has_texts:
        notes.append("texts are left out: its scores are recomputed from statistics only")
    return notes


def check_board(folder: Path) -> list[Fault]:
    """Return every reason why a board is not in order: its records, their folders, and whether its site is up to date."""
    faults: list[Fault] = []
    board = read_what_is_there(folder, faults)
    faults += [Fault(reason, str(submission.folder)) for submission, reason in _of_records(board)]
    names = [system.name for system in board.systems]
    for name in board.baselines:
        if name not in names:
            message = f"baselines names '{name}', which has no record.{nearest(name, names)}"
            faults.append(Fault(message, str(folder / "board.yaml")))
    return [*faults, *(Fault(reason, str(folder / SITE)) for reason in _told(lambda: _of_site(board)))]


def _of_records(board: Board) -> Iterator[tuple[Submission, str]]:
    tasks = {task.name: task for task in board.tasks}
    for system in board.systems:
        for name, submission in system.submissions.items():
            reasons = [*_of_place(board, system.name, name, submission), *reasons_against(submission, tasks[name])]
            yield from ((submission, reason) for reason in reasons)


def _of_place(board: Board, system: str, task: str, submission: Submission) -> Iterator[str]:
    expected = place_of(board, system, task)
    if submission.folder != expected:
        yield f"the record of '{system[:80]}' belongs in {expected}"
    if not board.texts and submission.samples is not None and holds_texts(submission.samples):
        yield "it holds texts, which board.yaml forbids (texts: false); add it again with 'evalharness leaderboard add'"


def place_of(board: Board, system: str, task: str) -> Path:
    """Return the folder of a system's record on a task."""
    folder = board.folder / RECORDS / slug(system)
    return folder if len(board.tasks) == 1 else folder / slug(task)


def _of_site(board: Board) -> Iterator[str]:
    from evalharness.leaderboard.site import build

    again = f"build it: evalharness leaderboard build {board.folder}"
    if not (board.folder / SITE).is_dir():
        yield f"there is no site; {again}"
        return
    with tempfile.TemporaryDirectory() as temporary:
        build(board, Path(temporary))
        found = differences(Path(temporary), board.folder / SITE)
    if found:
        yield f"it is not what its records make: {_listed(found)}; {again}"
