"""The parts of the document of a training task that varies nothing: what was compared, tables, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from evalharness.comparison import Line
from evalharness.comparison.words import notes_of, verdict
from evalharness.results import Record
from evalharness.results.intervals import interval_of
from evalharness.results.wording import ARROWS, counted, number
from evalharness.training.study import plots
from evalharness.training.study.comparing import Key, against_baseline, baselines, only_alone, shown, since_before
from evalharness.training.study.markdown import table, with_interval
from evalharness.training.study.plots import Plots
from evalharness.training.study.reading import Case, Study

MISSING_SHOWN = 10
DOCUMENT_END = "...\n"


@dataclass(frozen=True)
class Document:
    """A study on its way into a document; what several parts need is computed once."""

    study: Study
    plots: Plots
    command: str

    @cached_property
    def against(self) -> dict[Key, Line]:
        """Each arm beside the first of its case with the same network."""
        return against_baseline(self.study.cases, self.study.scores)

    @cached_property
    def changes(self) -> dict[Key, Line]:
        """Each arm beside the model before training."""
        return since_before(self.study.cases, self.study.scores)

    def lines(self, case: Case, score: str) -> dict[str, Line]:
        """Return the lines of a case in one score by arm."""
        return {arm: line for (labels, name, arm), line in self.against.items() if (labels, name) == (case.labels, score)}


def head(document: Document) -> Iterator[str]:
    """Yield the title, the commands that made the document, and what was run."""
    study = document.study
    task, record = study.task, study.first
    yield f"# {task.study.replace('_', ' ').capitalize()}"
    yield (
        f"Written by `{document.command}` from the run folders of `{record.provenance.get('command') or 'evalharness run'}`; "
        f"do not edit."
    )
    yield task.description
    steps = record.system["spec"]["trainer"]["steps"]
    seeds = counted(len((record.seeds or {"seeds": [0]})["seeds"]), "seed")
    tasks = f"{len(study.cases):,} tasks, " if len(study.cases) > 1 else ""
    groups = max(score.groups for score in record.scores.values())
    yield (
        f"{tasks}{counted(len(study.arms), 'arm')}, {seeds} each, {steps:,} steps; the test part has "
        f"{counted(int(record.dataset['samples']), 'sample')}"
        + (f" in {counted(groups, 'group')}" if groups < int(record.dataset["samples"]) else "")
        + (" (that of the first task)." if len(study.cases) > 1 else ".")
    )
    if study.missing:
        names = ", ".join(study.missing[:MISSING_SHOWN])
        more = f" and {len(study.missing) - MISSING_SHOWN:,} more" if len(study.missing) > MISSING_SHOWN else ""
        yield f"**Not all was run**: missing are {names}{more}."


def arms(document: Document) -> Iterator[str]:
    """Yield what each arm is."""
    known = [arm for arm in document.study.task.arms if arm.name in document.study.arms]
    columns = ["arm", "loss", *(["rules"] if any(arm.rules for arm in known) else [])]
    rows = [[f"`{arm.name}`", _flow(arm.loss.plain()), ", ".join(_flow(rule.plain()) for rule in arm.rules)] for arm in known]
    yield "## Arms"
    yield table(columns, [row[: len(columns)] for row in rows], left=len(columns))


def _flow(value: Any) -> str:
    """Return what YAML has on several lines on one."""
    return f"`{yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1_000).removesuffix(DOCUMENT_END).strip()}`"


def in_short(document: Document) -> Iterator[str]:
    """Yield a sentence a score: which arms differ from the first one, by how much, and of which no difference is shown."""
    yield "## In short"
    told = [line for case in document.study.cases for line in _in_short(document, case)]
    yield "\n".join(told) if told else "There is one arm only, and nothing to compare it with."


def _in_short(document: Document, case: Case) -> Iterator[str]:
    beside = baselines(case)
    for score in document.study.scores:
        lines = document.lines(case, score)
        told = [
            f"beside `{first}`: {_told({arm: line for arm, line in lines.items() if beside[arm] == first})}"
            for first in dict.fromkeys(beside[arm] for arm in lines)
        ]
        if told:
            yield f"- {''.join(f'{label}, ' for label in case.labels)}**{score}** {'; '.join(told)}."


def _told(lines: Mapping[str, Line]) -> str:
    different = [verdict(line, f"`{arm}`") for arm, line in lines.items() if line.verdict in ("better", "worse")]
    others = {arm: line for arm, line in lines.items() if line.verdict not in ("better", "worse")}
    alone = [f"`{arm}`" for arm, line in others.items() if only_alone(line)]
    alike = [f"`{arm}`" for arm, line in others.items() if not only_alone(line)]
    told = {"no difference shown for": alike, "not shown among all differences for": alone}
    return "; ".join([*different, *(f"{words} {', '.join(names)}" for words, names in told.items() if names)])


def results(document: Document) -> Iterator[str]:
    """Yield a table a score, and the picture of all differences."""
    yield "## Results"
    yield (
        "Values are means over the seeds; intervals at 95 %, of the samples or of the seeds, whichever is wider. Differences "
        "are paired by sample and by seed, and the words hold for all differences of a kind in this document at once (Holm): of "
        "so many some would leave out 0 by chance, and what only its own interval shows is 'not shown among all'."
    )
    for case in document.study.cases:
        yield from _of_case(document, case)


def _of_case(document: Document, case: Case) -> Iterator[str]:
    if case.labels:
        yield f"### {' · '.join(case.labels)}"
    lines = {score: found for score in document.study.scores if (found := document.lines(case, score))}
    if lines:
        beside = _beside(case)
        figure = plots.differences(lines, f"Difference to {beside}")
        yield _picture(document, case, "differences", f"Differences to {beside}", figure)
    for score in document.study.scores:
        yield _of_score(document, case, score)
    yield from _notes(lines)


def _beside(case: Case) -> str:
    """Return what arms are compared with: an arm's name, where all of them have the same network."""
    names = list(dict.fromkeys(baselines(case).values()))
    return names[0] if len(names) == 1 else "the first arm with the same network"


def _of_score(document: Document, case: Case, score: str) -> str:
    first = next(iter(case.arms))
    columns: dict[str, Callable[[str], str]] = {"value": lambda arm: _value(case.record(arm), score)}
    if case.record(first).before(score):
        columns["before"] = lambda arm: _before(case.record(arm), score)
        columns["change"] = lambda arm: _difference(document.changes, case, score, arm)
    if baselines(case):
        columns[f"difference to {_beside(case)}"] = lambda arm: _difference(document.against, case, score, arm)
    rows = [[f"`{arm}`", *(cell(arm) for cell in columns.values())] for arm in case.arms]
    return table([f"{score} {ARROWS[case.record(first).scores[score].better]}", *columns], rows)


def _value(record: Record, score: str) -> str:
    return with_interval(record.scores[score].value, interval_of(record, score))


def _before(record: Record, score: str) -> str:
    was = record.before(score)
    value = None if was is None else record.scores[was].value
    return "–" if value is None else number(value)


def _difference(lines: Mapping[Key, Line], case: Case, score: str, arm: str) -> str:
    line = lines.get((case.labels, score, arm))
    return "–" if line is None else shown(line)


def _notes(lines: Mapping[str, Mapping[str, Line]]) -> Iterator[str]:
    """Yield what to know of the differences: both parts of each interval, lost samples, few groups."""
    found = [
        f"- {score}, `{arm}`: {note}"
        for score, by_arm in lines.items()
        for arm, line in by_arm.items()
        for note in notes_of(line)
    ]
    if found:
        yield "\n".join(["<details><summary>What the intervals rest on</summary>", "", *found, "", "</details>"])


def training(document: Document) -> Iterator[str]:
    """Yield the curves of training, and the load of the experts where there were routers."""
    curves = [(case, figure) for case in document.study.cases if (figure := plots.training(case)) is not None]
    if curves:
        yield "## Training"
        yield "Means over the seeds."
        yield from (_picture(document, case, "training", "Curves of training", figure) for case, figure in curves)
    loads = [(case, figure) for case in document.study.cases if (figure := plots.loads(case)) is not None]
    if loads:
        yield "## Load of the experts"
        yield (
            "Share of the tokens that each expert of each layer got over the steps: 1 is an even load, and 2 and more have the "
            "brightest colour. Experts have no counterpart in another seed, so those of each seed are ordered by their load "
            "over all steps, the fullest first, and the mean over the seeds is that of each place."
        )
        yield from (_picture(document, case, "load", "Load of the experts by layer", figure) for case, figure in loads)


def _picture(document: Document, case: Case, name: str, title: str, figure: Any) -> str:
    return document.plots.add("-".join([name, *case.labels]), " · ".join([title, *case.labels]), figure)
