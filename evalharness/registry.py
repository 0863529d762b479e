"""Finds plugins by entry point, loads them one by one, and looks names up."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

import pluggy

from evalharness import hooks
from evalharness.contract import Dataset, Loss, Metric, Model, Network, Plugin, Retriever, Spec, TrainingRule, Transform
from evalharness.contract.columns import over_columns
from evalharness.contract.options import convert_options
from evalharness.errors import Fault, FaultsFound, PluginError, UnknownName, nearest

Kind = Literal["metric", "loss", "model", "retriever", "dataset", "transform", "rule", "network"]
BASES: dict[Kind, type[Plugin]] = {
    "metric": Metric, "loss": Loss, "model": Model, "retriever": Retriever, "dataset": Dataset, "transform": Transform,
    "rule": TrainingRule, "network": Network,
}  # fmt: skip
ONLY = "EVALHARNESS_PLUGINS"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def plural(kind: Kind) -> str:
    """Return the kind's plural, as the command line and the provider hooks write it.

    >>> plural("metric"), plural("loss")
    ('metrics', 'losses')
    """
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


PROVIDERS: dict[Kind, str] = {kind: f"{hooks.PROJECT}_{plural(kind)}" for kind in BASES}


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
        """Register one plugin package: all its classes or, where anything is refused, none."""
        _check_hooks(module)
        provided = [(kind, cls) for kind in PROVIDERS for cls in _provided(module, kind)]
        found: dict[tuple[Kind, str], Any] = {}
        for kind, cls in provided:
            _check_class(kind, cls)
            other = Entry(found[kind, cls.name], source) if (kind, cls.name) in found else self.entries[kind].get(cls.name)
            if other is not None:
                raise PluginError(
                    f"{kind} '{cls.name}' of {source} is already provided by {other.source}; uninstall one of the two"
                )
            found[kind, cls.name] = cls
        self.manager.register(module, name=_registered(source))
        self.sources.append(source)
        for (kind, name), cls in found.items():
            self.entries[kind][name] = Entry(cls, source)

    def get(self, kind: Kind, name: str) -> Entry | None:
        """Return the entry of that name, or None. A loss is a metric too, where no metric has the name."""
        return self._named(kind).get(name)

    def find(self, kind: Kind, name: str) -> Entry:
        """Return the entry of that name; raises UnknownName with the nearest names and the broken plugins."""
        entry = self.get(kind, name)
        if entry is None:
            raise UnknownName(self.unknown(kind, name))
        return entry

    def _named(self, kind: Kind) -> Mapping[str, Entry]:
        return {**self.entries["loss"], **self.entries["metric"]} if kind == "metric" else self.entries[kind]

    def unknown(self, kind: Kind, name: str) -> str:
        """Return the message for a name that no plugin has."""
        hint = nearest(name, self._named(kind))
        line = f"no {kind} is called '{name}'.{hint} Run 'evalharness list {plural(kind)}' for the full list."
        return "\n".join([line, *self.suspects()])

    def suspects(self) -> list[str]:
        """Return a line for each broken plugin, which may be the one that provides what is missing."""
        return [f"Plugin {source} failed to load and may provide it: {why}" for source, why in self.broken.items()]

    def build(self, kind: Kind, spec: Spec) -> Any:
        """Return the plugin that a spec describes; raises UnknownName or FaultsFound with all wrong options.

        A loss that is built as a metric is one over columns.
        """
        made = make(kind, self.find(kind, spec.name).cls, spec.options, spec.folder)
        return over_columns(made) if kind == "metric" else made

    def classes(self, kind: Kind) -> Iterator[Entry]:
        """Yield the entries of one kind, sorted by name."""
        yield from (self.entries[kind][name] for name in sorted(self.entries[kind]))

    def notified(self, source: Source) -> list[str]:
        """Return the hooks that a plugin package implements beside the ones that provide classes."""
        callers = self.manager.get_hookcallers(self.manager.get_plugin(_registered(source))) or []
        return sorted(caller.name for caller in callers if caller.name not in PROVIDERS.values())


def make(kind: Kind, cls: type[Any], options: Mapping[str, Any], folder: str = ".") -> Any:
    """Return a plugin of that class; raises FaultsFound with all wrong options at once."""
    kwargs, faults = convert_options(cls, options, kind=kind, folder=folder)
    if faults:
        raise FaultsFound([Fault(fault.message) for fault in faults])
    try:
        return cls(**kwargs)
    except (ValueError, TypeError) as error:
        raise FaultsFound([Fault(f"{kind} '{cls.name}': {error}")]) from error


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    return manager


def _registered(source: Source) -> str:
    return f"{source.distribution}:{source.plugin}"


def _check_hooks(module: Any) -> None:
    """Refuse functions that were meant to be hooks and are not: an unknown name, or no `@hookimpl`."""
    known = [name for name in vars(hooks) if name.startswith(f"{hooks.PROJECT}_")]
    for name, item in vars(module).items():
        if not callable(item) or not name.startswith(f"{hooks.PROJECT}_"):
            continue
        if name not in known:
            raise PluginError(f"no hook is called '{name}'.{nearest(name, known)} The hooks are: {', '.join(known)}.")
        if not hasattr(item, f"{hooks.PROJECT}_impl"):
            raise PluginError(f"the function {name} is not marked with @hookimpl (from evalharness import hookimpl)")


def _provided(module: Any, kind: Kind) -> list[Any]:
    provider = getattr(module, PROVIDERS[kind], None)
    found = provider() if provider else []
    if not isinstance(found, (list, tuple)):
        raise PluginError(f"{PROVIDERS[kind]} returned {type(found).__name__}; it must return a list of classes")
    return list(found)


def _check_class(kind: Kind, cls: Any) -> None:
    if not (isinstance(cls, type) and issubclass(cls, BASES[kind])):
        raise PluginError(f"{PROVIDERS[kind]} returned {cls!r}, which is not a subclass of {BASES[kind].__name__}")
    where = f"{kind} {cls.__module__}.{cls.__qualname__}"
    if not cls.name:
        raise PluginError(f"{where} does not state its name")
    if not NAME.fullmatch(cls.name):
        raise PluginError(f"{where} is called '{cls.name}'; a name is a letter followed by letters, digits, '_' or '-'")
    chosen = any(item.name == "better" for item in cls.option_fields())  # then it is known once there are options
    if issubclass(cls, Metric) and not chosen and getattr(cls, "better", None) not in ("higher", "lower"):
        raise PluginError(f"{where} does not state whether 'higher' or 'lower' is better (better = ...)")


def load(points: Iterable[metadata.EntryPoint], only: frozenset[str] | None = None) -> Registry:
    """Load plugins one by one; a broken one is noted and left out. `only` restricts loading to these entry point names.

    The plugins that come with the harness are first, so that a stranger's of the same name is the one refused; the rest
    follow by name and distribution.
    """
    registry = Registry()
    for point in sorted(points, key=lambda point: (_distribution(point) != hooks.PROJECT, point.name, _distribution(point))):
        if only is not None and point.name not in only:
            continue
        source = Source(point.name, _distribution(point), point.dist.version if point.dist else "")
        try:
            registry.add(point.load(), source)
        except (Exception, SystemExit) as error:  # a stranger's code may fail in any way; it is reported, never fatal
            registry.broken[source] = f"{type(error).__name__}: {error}"
    return registry


def _distribution(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else ""


@functools.cache
def installed() -> Registry:
    """Return the plugins of this environment; EVALHARNESS_PLUGINS (names, comma-separated) restricts them."""
    chosen = os.environ.get(ONLY)
    only = None if chosen is None else frozenset(name.strip() for name in chosen.split(",") if name.strip())
    return load(metadata.entry_points(group=hooks.PROJECT), only)


def build(kind: Kind, spec: Spec) -> Any:
    """Return the installed plugin that a spec describes."""
    return installed().build(kind, spec)
