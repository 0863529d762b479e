"""Adds a run to a board: checked first, then copied whole, with or without its texts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalharness.errors import DataError, EvalharnessError
from evalharness.leaderboard.board import TEXTS_LEFT_OUT, Board, Submission, problems_of, read_board
from evalharness.leaderboard.checking import notes_on, place_of, reasons_against
from evalharness.leaderboard.folders import whole_folder
from evalharness.leaderboard.names import slug
from evalharness.leaderboard.texts import write_without_texts
from evalharness.results.folder import RECORD, REPLICATES, SAMPLES, TASK, write_text
from evalharness.results.record import Record, read_record
from evalharness.task import TrainingTask

LARGE = 1_000_000


class Refused(EvalharnessError):
    """A board does not take a run; `reasons` say why, one by one."""

    def __init__(self, run: Path, reasons: Sequence[str]) -> None:
        self.run, self.reasons = run, tuple(reasons)
        super().__init__("\n".join([f"{run} is refused:", *(f"  {reason}" for reason in reasons)]))


@dataclass(frozen=True)
class Added:
    """A run that a board took: its system, where its record stands, whether it replaced one, what must be said of it."""

    system: str
    folder: Path
    replaced: bool
    notes: tuple[str, ...]


def add(board_folder: str | Path, run: str | Path, *, texts: bool = True) -> Added:
    """Add a run folder to a board and return what was added; without `texts`, responses and fields stay behind.

    Raises Refused with every reason why the board does not take it.
    """
    board, run = read_board(board_folder), Path(run)
    submission, task_name = _submission(board, run)
    system = str(submission.record.system["name"])
    tasks = {task.name: task for task in board.tasks}
    if task_name not in tasks:
        raise Refused(run, [f"its task is '{task_name}', which the board does not have. It has: {', '.join(tasks)}."])
    reasons = [*_taken(board, submission, system, task_name), *reasons_against(submission, tasks[task_name])]
    if reasons:
        raise Refused(run, reasons)
    target = place_of(board, system, task_name)
    replaced = target.exists()
    kept = _copy(submission, target, texts and board.texts)
    return Added(system, target, replaced, (*notes_on(kept), *_size_note(target, kept)))


def _submission(board: Board, run: Path) -> tuple[Submission, str]:
    try:
        record = read_record(run)
    except DataError as error:
        raise Refused(run, [str(error)]) from error
    folder = run if run.is_dir() else run.parent
    name = str(record.task.get("name"))
    task = next((task for task in board.tasks if task.name == name), None)
    problems = tuple(problems_of(record, task, folder)) if task else ()
    return Submission(folder=folder, record=record, problems=problems), name


def _taken(board: Board, submission: Submission, name: str, task: str) -> Iterator[str]:
    """Yield where another system has the name, or the folder that the name gives."""
    for system in board.systems:
        if system.name != name and slug(system.name) == slug(name):
            yield f"the name '{name[:80]}' gives the folder '{slug(name)}', which '{system.name[:80]}' has; name it otherwise"
        if system.name == name and task in system.submissions:
            there, own = (str(one.record.system.get("digest")) for one in (system.submissions[task], submission))
            if there != own:
                yield (
                    f"the board has another system of the name '{name[:80]}' (digest {there}, this one {own}); "
                    f"{_otherwise(board, task)}"
                )


def _otherwise(board: Board, name: str) -> str:
    """Return how a system of a task gets another name."""
    if isinstance(next(task for task in board.tasks if task.name == name), TrainingTask):
        return "call the arm otherwise in the task file, or remove that record"
    return "name this one otherwise, for example: evalharness run TASK --set system.name=NAME"


def _copy(submission: Submission, target: Path, texts: bool) -> Submission:
    record = _noted(submission.record, texts and submission.has_texts)
    with whole_folder(target) as folder:
        write_text(folder / RECORD, record.to_json())
        for name in (REPLICATES, TASK):
            shutil.copyfile(submission.folder / name, folder / name)
        if texts:
            shutil.copyfile(submission.folder / SAMPLES, folder / SAMPLES)
        else:
            write_without_texts(submission.folder / SAMPLES, folder / SAMPLES)
    return Submission(folder=target, record=record)


def _noted(record: Record, texts: bool) -> Record:
    """Return a record that says whether texts were left out, and not where on its maker's machine it was made."""
    folder = Path(str(record.provenance.get("folder", ""))).name
    left_out = {} if texts else {TEXTS_LEFT_OUT: True}
    return replace(record, provenance={**record.provenance, "folder": folder, **left_out})


def _size_note(folder: Path, submission: Submission) -> Iterator[str]:
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > LARGE:
        smaller = "; --without-texts makes it smaller" if submission.has_texts else ""
        yield f"it takes {size / 1e6:.1f} MB, more than the 1 MB that a record should{smaller}"
