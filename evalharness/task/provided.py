"""What a task provides: the fields that its data and its system give to prompts and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evalharness import registry
from evalharness.contract import Metric, Model, Retriever, Transform
from evalharness.task.fewshot import Templates
from evalharness.task.requests import is_prompted
from evalharness.task.task import MetricEntry, Task
from evalharness.task.training import PREDICT, TrainingTask

MADE = {
    "generate": ("response", "responses"),
    "multiple_choice": ("response", "logprobs", "choice_tokens"),
    "likelihood": ("text", "logprobs"),
    "predict": ("prediction", "probabilities"),
    "retrieve": (),
}
ONLY_MADE = frozenset(["response", "responses", "logprobs", "choice_tokens"])


@dataclass(frozen=True)
class Inspected:
    """A task with its plugins built, nothing loaded and nothing read."""

    task: Task

    @classmethod
    def of(cls, task: Task) -> Inspected:
        """Return the task, or the training task, inspected."""
        return InspectedTraining(task) if isinstance(task, TrainingTask) else Inspected(task)

    @cached_property
    def model(self) -> Model:
        """The system's model."""
        model: Model = registry.build("model", self.task.system.model)
        return model

    @cached_property
    def retriever(self) -> Retriever | None:
        """The system's retriever."""
        spec = self.task.system.retriever
        return None if spec is None else registry.build("retriever", spec)

    @cached_property
    def transforms(self) -> list[Transform]:
        """The chain between responses and metrics."""
        return [registry.build("transform", spec) for spec in self.task.transforms]

    @cached_property
    def metrics(self) -> list[tuple[MetricEntry, Metric]]:
        """The metrics of the chain with their entries."""
        return [(entry, registry.build("metric", entry.spec)) for entry in self.task.metrics]

    @cached_property
    def templates(self) -> Templates:
        """The compiled templates."""
        return Templates.of(self.task)

    @property
    def recorded(self) -> bool:
        """Whether the responses exist already."""
        return not self.model.stored

    @property
    def searches(self) -> bool:
        """Whether passages are searched for, rather than taken from the data."""
        return self.retriever is not None and not self.retriever.recorded

    @property
    def prompts(self) -> bool:
        """Whether a prompt is rendered."""
        return is_prompted(self.task, self.model)

    @property
    def shown(self) -> bool:
        """Whether the model is given the input itself."""
        return not self.prompts and (self.task.output_type != "retrieve" or self.model.retrieves)

    @property
    def made(self) -> set[str]:
        """The fields that the system makes."""
        found = {"contexts"} if self.searches or self.recorded or self.model.retrieves else set[str]()
        marks = {transform.marks for transform in self.transforms if transform.marks}
        return {"id", "group", *MADE[self.task.output_type], *found, *marks}

    @property
    def provided(self) -> set[str]:
        """The fields that are known without looking at the data; each other column of it comes on top."""
        return self.made | set(self.task.dataset.fields)

    @property
    def variables(self) -> frozenset[str]:
        """The fields that the templates read."""
        if not self.prompts:
            return frozenset()
        own = self.templates.prompt.variables
        return own | self.templates.answer.variables if self.task.fewshot.samples else own

    def reads(self) -> set[str]:
        """Return every field that something reads: metrics, templates, the retriever, the output type."""
        read = {name for _, metric in self.metrics for name in metric.reads} | self.variables
        read |= {name for _, metric in self.metrics for name in getattr(metric, "may_read", ())} & set(self.task.dataset.fields)
        if self.searches or self.shown:
            read.add("input")
        if self.shown:
            read |= set(self.model.reads)
        if self.retriever is not None and not self.searches:
            read.add("contexts")
        if self.task.output_type == "multiple_choice":
            read |= {"choices", "target"}
        return read | ({self.task.group} if self.task.group else set())

    @property
    def trained_on(self) -> set[str]:
        """The fields that training may read beside what `reads` gives."""
        return set()

    def plugins(self) -> list[tuple[str, Any, str]]:
        """Return kind, plugin and place of everything that may need an extra."""
        parts: list[tuple[str, Any, str]] = [("metric", metric, entry.where) for entry, metric in self.metrics]
        parts += [("model", self.model, self.task.where("system.model", "system"))]
        parts += [("retriever", self.retriever, self.task.where("system.retriever", "system"))]
        return [part for part in parts if part[1] is not None]


class InspectedTraining(Inspected):
    """A training task: its samples hold more, and training reads some that nothing else does."""

    @property
    def made(self) -> set[str]:
        """The fields that the arms make, and what was there before training."""
        if self.task.output_type == PREDICT:
            return super().made | {"features", "target"}
        arms = {*MADE[self.task.output_type], "router_counts"}
        return (super().made | arms | {f"before_{name}" for name in arms} | {"prompt"}) - {"responses", "before_responses"}

    @property
    def prompts(self) -> bool:
        """Whether a prompt is rendered: for every network over texts."""
        return self.task.output_type != PREDICT

    @property
    def metrics(self) -> list[tuple[MetricEntry, Metric]]:
        """The metrics that the file names; those of before training read what these do."""
        return [(entry, metric) for entry, metric in super().metrics if metric.name != "before"]

    @property
    def trained_on(self) -> set[str]:
        """The answers that networks over texts learn."""
        return {"references", "turns", "chosen", "rejected"}

    def reads(self) -> set[str]:
        """Return every field that something reads; a network over tables is shown no input."""
        return super().reads() - ({"input"} if self.task.output_type == PREDICT else set())
