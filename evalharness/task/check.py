"""Checks a task without data and without models: what does not fit together, and what is there for nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

from evalharness import registry
from evalharness.contract import Answer
from evalharness.errors import nearest
from evalharness.task.provided import ONLY_MADE, Inspected
from evalharness.task.requests import request_kind
from evalharness.task.task import Task
from evalharness.task.training import TrainingTask

ANSWERS = frozenset(["references", "target"])


@dataclass(frozen=True)
class Finding:
    """Something that a check found: an error keeps the task from running well, a warning is worth a look."""

    level: Literal["error", "warning"]
    message: str
    where: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.message}"


def check_task(task: Task) -> list[Finding]:
    """Return what a look at the task alone can find, errors first."""
    inspected = Inspected.of(task)
    findings = [finding for check in CHECKS for finding in check(inspected)]
    return sorted(findings, key=lambda finding: finding.level)


def _check_metric_fields(seen: Inspected) -> Iterator[Finding]:
    has = ", ".join(sorted(seen.provided))
    for entry, metric in seen.metrics:
        for name in metric.reads:
            if name in seen.provided or (name == "contexts" and seen.retriever is None):
                continue
            start = f"metric '{metric.name}' reads '{name}', which this task "
            if name in ONLY_MADE:
                kind = seen.task.output_type
                yield Finding("error", f"{start}with the output type '{kind}' does not provide. It provides: {has}.", entry.where)
            else:
                unless = "provides only if the data has a column of that name; --data looks. It provides"
                yield Finding("warning", f"{start}{unless}: {has}.", entry.where)


def _check_contexts(seen: Inspected) -> Iterator[Finding]:
    """Find the metrics that need passages beside a system that has none; it may be meant, so they are told in one line."""
    if "contexts" in seen.provided or seen.retriever is not None:
        return
    names = ", ".join(entry.name or metric.name for entry, metric in seen.metrics if "contexts" in metric.reads)
    if names:
        unless = "unless the data has a column 'contexts'; --data looks"
        message = f"this system retrieves nothing: {names} will be unmeasured (no contexts), {unless}"
        yield Finding("warning", message, seen.task.where("system"))


def _check_variables(seen: Inspected) -> Iterator[Finding]:
    where = seen.task.where("system.prompt", "system")
    for name in sorted(seen.variables - seen.provided):
        hint = nearest(name, seen.provided) or f" It provides: {', '.join(sorted(seen.provided))}."
        unless = "provides only if the data has a column of that name; --data looks."
        yield Finding("warning", f"a template reads '{name}', which this task {unless}{hint}", where)
    if not seen.prompts:
        return
    for name in sorted(seen.templates.prompt.variables & ANSWERS):
        yield Finding("warning", f"the prompt reads '{name}': it shows the answer that is asked for", where)


def _check_requests(seen: Inspected) -> Iterator[Finding]:
    model, task = seen.model, seen.task
    if isinstance(task, TrainingTask):  # its arms answer by output type
        return
    if task.output_type == "retrieve" and not model.retrieves:  # nothing is asked
        return
    kind = request_kind(task, model)
    if kind not in model.supports:
        can = ", ".join(known.kind for known in model.supports)
        message = f"model '{model.name}' does not answer '{kind.kind}' requests, which the output type '{task.output_type}' needs"
        way = " It takes no prompt; leave 'prompt:' out of the system, or name a system without one with --system FILE."
        hint = way if Answer in model.supports else ""
        yield Finding("error", f"{message}. It answers: {can}.{hint}", task.where("system.model", "system"))


def _check_model(seen: Inspected) -> Iterator[Finding]:
    """Find what keeps models from answering: the system's and those that metrics ask."""
    asked = [(entry.where, getattr(metric, "model", None)) for entry, metric in seen.metrics if metric.asks]
    models = [(registry.build("model", spec), where) for where, spec in asked if spec is not None]
    if not isinstance(seen.task, TrainingTask):
        models.insert(0, (seen.model, seen.task.where("system.model", "system")))
    for model, where in models:
        yield from (Finding("error", f"model '{model.name}': {fault}", where) for fault in model.faults())


def _check_asking(seen: Inspected) -> Iterator[Finding]:
    for entry, metric in seen.metrics:
        if metric.asks and seen.recorded and getattr(metric, "model", None) is None:
            example = f"{metric.name}: {{model: NAME}}"
            message = f"metric '{metric.name}' asks the system's model, but recorded responses have none; name one: {example}"
            yield Finding("error", message, entry.where)


def _check_extras(seen: Inspected) -> Iterator[Finding]:
    for kind, plugin, where in seen.plugins():
        distribution = registry.installed().find(kind, plugin.spec().name).source.distribution  # type: ignore[arg-type]
        missing = missing_packages(distribution, plugin.needs) if plugin.needs else []
        if missing:
            install = f"pip install '{distribution}[{plugin.needs}]'"
            yield Finding("error", f"{kind} '{plugin.name}' needs {', '.join(missing)}; install with: {install}", where)


def missing_packages(distribution: str, extra: str) -> list[str]:
    """Return the packages of a distribution's extra that are not installed.

    >>> missing_packages("evalharness", "no such extra")
    []
    """
    try:
        required = metadata.requires(distribution) or []
    except (metadata.PackageNotFoundError, ValueError):
        return []
    names = [re.split(r"[\s<>=!~;\[(]", line, maxsplit=1)[0] for line in required if _belongs(line, extra)]
    return [name for name in names if not _installed(name)]


def _belongs(requirement: str, extra: str) -> bool:
    return re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", requirement) is not None


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _check_unused(seen: Inspected) -> Iterator[Finding]:
    read, task = seen.reads() | seen.trained_on, seen.task
    for name in task.dataset.fields:
        if name not in read and name != "id":
            where = task.where(f"dataset.fields.{name}", "dataset")
            yield Finding("warning", f"nothing reads the field '{name}'", where)
    if seen.searches and "contexts" not in read and seen.prompts:
        where = task.where("system.retriever")
        yield Finding("warning", "passages are retrieved, but neither the prompt nor a metric reads 'contexts'", where)


def _check_idle_keys(seen: Inspected) -> Iterator[Finding]:
    task = seen.task
    generates, retrieves = (task.output_type == kind for kind in ("generate", "retrieve"))
    whole = seen.model.retrieves and not seen.prompts  # a system of its own, which is given the question as it is
    asks = ("prompt",) if seen.model.retrieves else ("prompt", "model")
    found = [
        (not generates, "system.generate", f"'generate' has no effect on the output type '{task.output_type}'"),
        *((retrieves, f"system.{key}", f"'{key}' has no effect on the output type 'retrieve'") for key in asks),
        (generates and whole, "system.generate", f"'generate' has no effect on '{seen.model.name}', which takes no prompt"),
        (not generates, "transforms", f"'transforms' have no effect on the output type '{task.output_type}'"),
        (generates and not task.fewshot.samples, "delimiter", "'delimiter' has no effect without choices or few-shot examples"),
        (not task.fewshot.samples, "fewshot.answer", "the answer template has no effect while fewshot.samples is 0"),
        (_repeats_are_equal(task) and not (seen.recorded or whole), "repeats", "all repeats will be equal: the temperature is 0"),
    ]
    for applies, key, message in found:
        if applies and key in task.places:
            yield Finding("warning", message, task.places[key])


def _repeats_are_equal(task: Task) -> bool:
    return task.repeats > 1 and task.system.generate.temperature == 0 and task.output_type == "generate"


CHECKS: tuple[Callable[[Any], Iterator[Finding]], ...] = (
    _check_metric_fields, _check_contexts, _check_variables, _check_requests, _check_model, _check_asking, _check_extras,
    _check_unused, _check_idle_keys,
)  # fmt: skip
