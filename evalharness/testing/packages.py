"""Runs the checks of every kind: on one plugin, or on all that an installed package provides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from evalharness import registry
from evalharness.contract import Service
from evalharness.errors import DataError, EvalharnessError, UnknownName, WeightsError, nearest
from evalharness.testing.every import kind_of, made
from evalharness.testing.losses import loss_outcomes
from evalharness.testing.metrics import metric_outcomes
from evalharness.testing.models import model_outcomes, unasked_outcomes
from evalharness.testing.outcomes import Broken, Outcome, raise_failed
from evalharness.testing.retrievers import retriever_outcomes
from evalharness.testing.texts import dataset_outcomes, transform_outcomes
from evalharness.testing.training import part_outcomes

OUTCOMES: dict[registry.Kind, Callable[..., list[Outcome]]] = {
    "metric": metric_outcomes,
    "loss": loss_outcomes,
    "model": model_outcomes,
    "retriever": retriever_outcomes,
    "dataset": dataset_outcomes,
    "transform": transform_outcomes,
    "rule": part_outcomes,
    "network": part_outcomes,
}
ABSENT = (DataError.__name__, WeightsError.__name__)


def check(plugin: Any, *given: Any, **named: Any) -> list[Outcome]:
    """Check a plugin of any kind, given as a class or an instance; further arguments as its kind's own check takes them.

    Raises ConformanceError.
    """
    return raise_failed(OUTCOMES[kind_of(plugin)](plugin, *given, **named))


def check_plugin(name: str) -> list[Outcome]:
    """Check all that is installed under a name: that of a plugin package, of a distribution, or of a single plugin.

    Raises ConformanceError where a check fails, and UnknownName where nothing has that name.
    """
    return raise_failed(installed_outcomes(name))


def installed_outcomes(name: str | None = None) -> list[Outcome]:
    """Return the outcome of every check of what is installed under a name; of everything where it is None."""
    installed = registry.installed()
    broken = {source: reason for source, reason in installed.broken.items() if _is_called(name, source)}
    found = [
        entry for kind in registry.BASES for entry in installed.classes(kind) if _is_called(name, entry.source, entry.cls.name)
    ]
    if not found and not broken and not any(_is_called(name, source) for source in installed.sources):
        raise UnknownName(_unknown(installed, name or ""))
    outcomes = [_loads(source, reason) for source, reason in broken.items()]
    return outcomes + [outcome for entry in found for outcome in class_outcomes(entry.cls)]


def class_outcomes(cls: type[Any]) -> list[Outcome]:
    """Return the outcome of every check of a class, built with the options of its `example`.

    A check for which the example's data, weights or service are not here is skipped, since an example is no promise of a
    file; what a loss says of its tensors is a finding.
    """
    kind = kind_of(cls)
    try:
        plugin = made(kind, cls)
    except EvalharnessError as error:
        mend = f"give its options defaults, or write example = {{...}} in class {cls.__name__}"
        told = str(Broken("it can be built with its defaults or its example", str(error), mend))
        return [Outcome(f"{kind} '{cls.name}'", "can be built", "failed", told)]
    if isinstance(plugin, Service):
        return unasked_outcomes(plugin)
    absent = ABSENT if kind != "loss" else ()
    return [_skipped(outcome) if outcome.raised in absent else outcome for outcome in OUTCOMES[kind](plugin)]


def _skipped(outcome: Outcome) -> Outcome:
    reason = "what its example names is not here; check an instance in a test of your own"
    return replace(outcome, status="skipped", message=reason)


def _is_called(name: str | None, source: registry.Source, plugin: str = "") -> bool:
    return name is None or name in (source.plugin, source.distribution, plugin)


def _loads(source: registry.Source, reason: str) -> Outcome:
    told = str(Broken("the package loads", reason, "import its module in Python to see where it fails"))
    return Outcome(f"plugin {source}", "loads", "failed", told)


def _unknown(installed: registry.Registry, name: str) -> str:
    sources = [*installed.sources, *installed.broken]
    known = {each for source in sources for each in (source.plugin, source.distribution)}
    names = known.union(*installed.entries.values())
    return f"nothing that is installed is called '{name}'.{nearest(name, names)} Run 'evalharness plugins' for what there is."
