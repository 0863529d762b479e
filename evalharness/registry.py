"""Finds plugins by entry point, loads them one by one, and looks names up."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

import pluggy

from evalharness import hooks
from evalharness.contract import Dataset, Loss, Metric, Model, Plugin, Retriever, Spec, Transform
from evalharness.contract.options import convert_options
from evalharness.errors import Fault, FaultsFound, PluginError, UnknownName, nearest

Kind = Literal["metric", "loss", "model", "retriever", "dataset", "transform"]
BASES: dict[Kind, type[Plugin]] = {
    "metric": Metric, "loss": Loss, "model": Model, "retriever": Retriever, "dataset": Dataset, "transform": Transform,
}  # fmt: skip
PROVIDERS: dict[Kind, str] = {
    "metric": "evalharness_metrics",
    "loss": "evalharness_losses",
    "model": "evalharness_models",
    "retriever": "evalharness_retrievers",
    "dataset": "evalharness_datasets",
    "transform": "evalharness_transforms",
}


@dataclass(frozen=True)
class Source:
    """Where a plugin package comes from: entry point name, distribution and its version."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution} {self.version})"


@dataclass(frozen=True)
class Entry:
    """One plugin class and its source."""

    cls: type[Any]
    source: Source


@dataclass
class Registry:
    """What is installed: entries by kind and name, and for each broken plugin the reason."""

    entries: dict[Kind, dict[str, Entry]] = field(default_factory=lambda: {kind: {} for kind in PROVIDERS})
    sources: list[Source] = field(default_factory=list)
    broken: dict[Source, str] = field(default_factory=dict)
    manager: pluggy.PluginManager = field(default_factory=lambda: _manager())

    def add(self, module: Any, source: Source) -> None:
        """Register one plugin package: all its classes or, where one of them is refused, none."""
        found = [(kind, cls) for kind in PROVIDERS for cls in _provided(module, kind)]
        for kind, cls in found:
            self._accept(kind, cls, source)
        self.manager.register(module, name=f"{source.distribution}:{source.plugin}")
        self.sources.append(source)
        for kind, cls in found:
            self.entries[kind][cls.name] = Entry(cls, source)

    def _accept(self, kind: Kind, cls: Any, source: Source) -> None:
        if not (isinstance(cls, type) and issubclass(cls, BASES[kind])):
            raise PluginError(f"{PROVIDERS[kind]} returned {cls!r}, which is not a subclass of {BASES[kind].__name__}")
        if not cls.name or (kind in ("metric", "loss") and not hasattr(cls, "better")):
            raise PluginError(f"{kind} {cls.__module__}.{cls.__qualname__} does not state its {'better' if cls.name else 'name'}")
        other = self.entries[kind].get(cls.name)
        if other is not None:
            raise PluginError(f"{kind} '{cls.name}' of {source} is already provided by {other.source}; uninstall one of the two")

    def find(self, kind: Kind, name: str) -> Entry:
        """Return the entry of that name; raises UnknownName with the nearest names and the broken plugins."""
        entry = self.entries[kind].get(name)
        if entry is None:
            raise UnknownName(self.unknown(kind, name))
        return entry

    def unknown(self, kind: Kind, name: str) -> str:
        """Return the message for a name that no plugin has."""
        plural = "losses" if kind == "loss" else f"{kind}s"
        hint = nearest(name, self.entries[kind])
        lines = [f"no {kind} is called '{name}'.{hint} Run 'evalharness list {plural}' for the full list."]
        lines += [f"Plugin {source} failed to load and may provide it: {why}" for source, why in self.broken.items()]
        return "\n".join(lines)

    def build(self, kind: Kind, spec: Spec) -> Any:
        """Return the plugin that a spec describes; raises UnknownName or FaultsFound with all wrong options."""
        cls = self.find(kind, spec.name).cls
        kwargs, faults = convert_options(cls, spec.options, kind=kind, folder=spec.folder)
        if faults:
            raise FaultsFound([Fault(fault.message) for fault in faults])
        try:
            return cls(**kwargs)
        except (ValueError, TypeError) as error:
            raise FaultsFound([Fault(f"{kind} '{spec.name}': {error}")]) from error

    def classes(self, kind: Kind) -> Iterator[Entry]:
        """Yield the entries of one kind, sorted by name."""
        yield from (self.entries[kind][name] for name in sorted(self.entries[kind]))


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    return manager


def _provided(module: Any, kind: Kind) -> Iterable[Any]:
    provider = getattr(module, PROVIDERS[kind], None)
    return provider() if callable(provider) else ()


def load(points: Iterable[metadata.EntryPoint], only: frozenset[str] | None = None) -> Registry:
    """Load plugins one by one, sorted by name and distribution; a broken one is noted and left out.

    `only` restricts loading to these entry point names.
    """
    registry = Registry()
    for point in sorted(points, key=lambda point: (point.name, _distribution(point))):
        if only is not None and point.name not in only:
            continue
        source = Source(point.name, _distribution(point), point.dist.version if point.dist else "")
        try:
            registry.add(point.load(), source)
        except Exception as error:  # a stranger's code may fail in any way; it is reported, never fatal
            registry.broken[source] = f"{type(error).__name__}: {error}"
    return registry


def _distribution(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else ""


@functools.cache
def installed() -> Registry:
    """Return the plugins of this environment; EVALHARNESS_PLUGINS (names, comma-separated) restricts them."""
    chosen = os.environ.get("EVALHARNESS_PLUGINS")
    only = None if chosen is None else frozenset(name.strip() for name in chosen.split(",") if name.strip())
    return load(metadata.entry_points(group=hooks.PROJECT), only)


def build(kind: Kind, spec: Spec) -> Any:
    """Return the installed plugin that a spec describes."""
    return installed().build(kind, spec)

