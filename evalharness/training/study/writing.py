"""Writes the document of a study: which parts it has follows from what its task varies."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from evalharness.results.folder import make, write_text
from evalharness.training.study import sections, varied_sections
from evalharness.training.study.plots import Plots
from evalharness.training.study.reading import read_study
from evalharness.training.study.sections import Document
from evalharness.training.study.varied import Grid

STUDIES = Path("docs", "studies")


def write_study(task: str | Path, *, runs: str | Path | None = None, out: str | Path | None = None, command: str = "") -> Path:
    """Write the result of a training task from its run folders as Markdown, with plots in a folder of its name beside it.

    `runs` is the folder that the task was run into, by default `runs/NAME`; `out` the document, by default
    `docs/studies/NAME.md`. Nothing is trained or measured; the same run folders give the same bytes. Raises FaultsFound for a
    task that is not valid, DataError where nothing was run or a record is of another version of the task. Needs matplotlib.
    """
    study = read_study(task, runs)
    path = Path(out) if out is not None else STUDIES / f"{study.task.study}.md"
    document = Document(study, Plots(path), command or _command(task, runs, out))
    text = "\n\n".join(_parts(document))
    make(path.parent)
    write_text(path, text + "\n")
    return path


def _command(task: str | Path, runs: str | Path | None, out: str | Path | None) -> str:
    options = [("--runs", runs), ("--out", out)]
    given = [str(word) for option, value in options if value is not None for word in (option, value)]
    return shlex.join(["evalharness", "study", str(task), *given])


def _parts(document: Document) -> Iterator[str]:
    grid = Grid.of(document.study)
    yield from sections.head(document)
    if grid is None:
        yield from sections.in_short(document)
        yield from sections.arms(document)
        yield from sections.results(document)
        yield from sections.training(document)
    else:
        yield from varied_sections.in_short(document, grid)
        yield from sections.arms(document)
        yield from varied_sections.of_scores(document, grid)
