"""Builds what a task names: model, retriever, transforms, metrics; all faults at once, before anything runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evalharness.contract import Metric, Model, Retriever, Spec, Transform
from evalharness.errors import Fault, FaultsFound
from evalharness.registry import Kind, Registry, Source
from evalharness.scoring import Chain
from evalharness.task import Task


@dataclass(frozen=True)
class Parts:
    """A task's plugins, built. `asking` maps the name of each asking metric to the model that it asks."""

    model: Model
    retriever: Retriever | None
    transforms: tuple[Transform, ...]
    chain: Chain
    asking: dict[str, Model]
    sources: dict[str, Source]


def build_parts(task: Task, registry: Registry) -> Parts:
    """Return the built plugins of a task; raises FaultsFound with all that is wrong."""
    faults: list[Fault] = []
    model = _collect(faults, lambda: registry.build("model", task.system.model))
    retriever = _collect(faults, lambda: _optional(registry, "retriever", task.system.retriever))
    transforms = [_collect(faults, functools.partial(registry.build, "transform", spec)) for spec in task.transforms]
    chain = _collect(faults, lambda: build_chain(task, registry))
    if faults:
        raise FaultsFound(faults)
    asking = {entry.name: _asked(entry.metric, model, registry) for entry in chain.entries if entry.metric.asks}
    sources = {entry.name: registry.find("metric", entry.metric.spec().name).source for entry in chain.entries}
    return Parts(model, retriever, tuple(transforms), chain, asking, sources)


def build_chain(task: Task, registry: Registry) -> Chain:
    """Return the chain of a task's metrics; raises FaultsFound with all that is wrong."""
    faults: list[Fault] = []
    metrics = [_collect(faults, functools.partial(registry.build, "metric", entry.spec)) for entry in task.metrics]
    if faults:
        raise FaultsFound(faults)
    return Chain.build([(entry.name, metric) for entry, metric in zip(task.metrics, metrics, strict=True)])


def _collect(faults: list[Fault], build: Callable[[], Any]) -> Any:
    try:
        return build()
    except FaultsFound as found:
        faults.extend(found.faults)
        return None


def _optional(registry: Registry, kind: Kind, spec: Spec | None) -> Any:
    return None if spec is None else registry.build(kind, spec)


def _asked(metric: Metric, model: Model, registry: Registry) -> Model:
    spec = getattr(metric, "model", None)
    return model if spec is None else registry.build("model", spec)
