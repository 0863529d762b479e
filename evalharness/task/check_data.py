"""Checks a task against its data: one pass over the samples, still without models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from evalharness.contract import Answer, Choose, Likelihood, Passage, Request, Sample
from evalharness.data import DataFault, read_samples
from evalharness.errors import DataError, UsageError
from evalharness.task.check import Finding
from evalharness.task.fewshot import Prompter
from evalharness.task.provided import Inspected
from evalharness.task.task import Task

SHOWN = 5
FAULTS_SHOWN = 20
SAMPLES_A_BATCH = 1024
SHORTEST_ANSWER = 2


@dataclass
class _Notes:
    """What was seen in samples: for each message how often, and the first ids."""

    counts: dict[tuple[Literal["error", "warning"], str, str], int] = field(default_factory=lambda: defaultdict(int))
    first: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, level: Literal["error", "warning"], message: str, where: str, sample: str) -> None:
        self.counts[level, message, where] += 1
        if len(self.first[message]) < SHOWN:
            self.first[message].append(sample)

    def findings(self, total: int) -> Iterator[Finding]:
        for (level, message, where), count in self.counts.items():
            shown = ", ".join(self.first[message]) + (", ..." if count > SHOWN else "")
            yield Finding(level, f"{message} ({count} of {total} samples: {shown})", where)


def check_data(task: Task) -> list[Finding]:
    """Return what is wrong with the data of a task, errors first.

    Finds broken items, ids that occur twice, missing fields, empty inputs, prompts that cannot be rendered, relevant
    passages that the corpus lacks, recorded responses that cannot be used, and answers that stand in the prompt. For the
    last, prompts are rendered without contexts and examples, which hold answers by design.
    """
    seen, notes, stopped = Inspected.of(task), _Notes(), list[Finding]()
    reader = read_samples(task)
    prompter = corpus = None
    answers = False
    with _located(task.where("fewshot.path", "fewshot.split", "fewshot", "dataset"), stopped):
        prompter = Prompter.of(task) if seen.prompts else None
    with _located(task.where("system.retriever", "system"), stopped):
        corpus = _corpus_ids(seen)
    with _located(task.where("system.model", "system"), stopped):
        answers = _answers_can_be_checked(seen)
    with _located(task.where("dataset"), stopped):
        samples = iter(reader)
        while batch := list(islice(samples, SAMPLES_A_BATCH)):
            for sample in batch:
                _check_sample(seen, sample, prompter, corpus or set(), notes)
            if answers:
                _check_recorded(seen, batch, notes)
    findings = [*_fault_findings(reader.faults), *stopped, *notes.findings(reader.count)]
    return sorted(findings, key=lambda finding: finding.level)


@contextmanager
def _located(where: str, findings: list[Finding]) -> Iterator[None]:
    """Note an error at the place that caused it; what does not need that part goes on."""
    try:
        yield
    except (DataError, UsageError) as error:
        findings.append(Finding("error", str(error), where))


def _fault_findings(faults: Sequence[DataFault]) -> list[Finding]:
    findings = [Finding("error", fault.message, fault.where) for fault in faults[:FAULTS_SHOWN]]
    if len(faults) > FAULTS_SHOWN:
        findings.append(Finding("error", f"{len(faults) - FAULTS_SHOWN} more broken items", faults[FAULTS_SHOWN].where))
    return findings


def _corpus_ids(seen: Inspected) -> set[str]:
    return set() if seen.retriever is None else {passage.id for passage in seen.retriever.passages()}


def _check_sample(seen: Inspected, sample: Sample, prompter: Prompter | None, corpus: set[str], notes: _Notes) -> None:
    task = seen.task
    missing = seen.reads() - seen.made - set(sample.fields)
    for name in sorted(missing):
        message = f"the field '{name}' is missing, which {_readers(seen, name)}"
        notes.add(_level(seen, name), message, task.where("dataset"), sample.id)
    text = sample.fields.get("input")
    if isinstance(text, str) and not text.strip():
        notes.add("warning", "the input is empty", task.where("dataset.fields.input", "dataset"), sample.id)
    for identifier in sample.fields.get("relevant") or () if corpus else ():
        if identifier not in corpus:
            message = f"the relevant passage '{identifier}' is not in the corpus"
            notes.add("error", message, task.where("dataset.fields.relevant", "dataset"), sample.id)
    if prompter is not None and not missing & seen.variables:
        _check_prompt(seen, sample, prompter, notes)


def _level(seen: Inspected, name: str) -> Literal["error", "warning"]:
    """Return how bad it is that a field is missing: metrics leave out a system that is meant to have no passages."""
    meant = name == "contexts" and seen.retriever is None and name not in seen.variables
    return "warning" if meant else "error"


def _readers(seen: Inspected, name: str) -> str:
    metrics = [f"metric '{entry.name or metric.name}'" for entry, metric in seen.metrics if name in metric.reads]
    if name in seen.variables:
        return "a template reads"
    if metrics:
        return f"{', '.join(metrics)} reads" if len(metrics) == 1 else f"{', '.join(metrics)} read"
    return "the task needs"


def _check_prompt(seen: Inspected, sample: Sample, prompter: Prompter, notes: _Notes) -> None:
    task, blank = seen.task, _blank_contexts(seen, sample)
    where = task.where("system.prompt", "system")
    try:
        prompter.render(sample, blank, chat=False)
        alone = prompter.render_text(sample, blank)
    except DataError as error:
        places = (prompter.templates.prompt.where, prompter.templates.answer.where)
        guilty = next((place for place in places if str(error).startswith(f"{place}: ")), where)
        notes.add("error", str(error).removeprefix(f"{guilty}: "), guilty, sample.id)
        return
    if task.output_type == "generate" and _shows_answer(
        alone, prompter.templates.prompt.text, sample.fields.get("references", ())
    ):
        notes.add("warning", "the answer stands in the prompt, contexts left aside", where, sample.id)


def _blank_contexts(seen: Inspected, sample: Sample) -> list[Passage] | None:
    """Return as many passages as the prompt will see, without their text; None where there are none."""
    if seen.retriever is not None and seen.searches:
        return [Passage(str(rank), "") for rank in range(seen.retriever.top_k)]
    contexts = sample.fields.get("contexts")
    return None if contexts is None else [Passage(passage.id, "") for passage in contexts]


def _shows_answer(prompt: str, template: str, answers: Sequence[str]) -> bool:
    """Whether an answer stands in the prompt as a word of its own, and not because the template offers it."""
    for answer in answers:
        if len(answer.strip()) < SHORTEST_ANSWER:
            continue
        words = re.compile(rf"(?<!\w){re.escape(answer.strip())}(?!\w)", re.IGNORECASE)
        if words.search(prompt) and not words.search(template):
            return True
    return False


def _answers_can_be_checked(seen: Inspected) -> bool:
    """Whether responses exist already, in a file that can be read; an answer to passages still to be searched for cannot
    be known. Raises DataError for a file that cannot be used.
    """
    if not seen.recorded:
        return False
    seen.model.identity()  # opens the file
    return not seen.searches


def _check_recorded(seen: Inspected, batch: Sequence[Sample], notes: _Notes) -> None:
    """Ask recorded responses for what a run would ask them."""
    where = seen.task.where("system.model", "system")
    asked = [_request(seen.task, sample, repeat) for sample in batch for repeat in range(seen.task.repeats)]
    for request, response in seen.model.answer(asked):
        if response.error is not None:
            notes.add("error", response.error.message or response.error.kind, where, request.sample)


def _request(task: Task, sample: Sample, repeat: int) -> Request:
    if task.output_type == "multiple_choice":
        return Choose(prompt="", choices=tuple(sample.fields.get("choices", ())), sample=sample.id, repeat=repeat)
    if task.output_type == "likelihood":
        return Likelihood(text="", sample=sample.id, repeat=repeat)
    return Answer(input=str(sample.fields.get("input", "")), sample=sample.id, repeat=repeat)
