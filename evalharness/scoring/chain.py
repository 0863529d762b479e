"""The chain of metrics of a task: names, composition and the order of measuring."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evalharness.contract import Metric, Parent
from evalharness.contract.columns import over_columns, reasons_against
from evalharness.errors import Fault, FaultsFound, UsageError, nearest
from evalharness.scoring.repeats import RESPONSES


@dataclass(frozen=True)
class Entry:
    """One metric of a chain, under its name there; `scores` are the names of its values, in the order of its parts.

    `of_samples`: it has one value for all repeats of a sample, because it reads `responses`, or builds on such values.
    """

    name: str
    metric: Metric
    scores: tuple[str, ...]
    of_samples: bool = False

    @classmethod
    def of(cls, metric: Metric, alias: str | None = None) -> Entry:
        """Return the entry of a metric, named by `alias` or by itself."""
        name = alias or metric.name
        scores = tuple(name + part for part in metric.parts) or (name,)
        return cls(name, metric, scores, RESPONSES in metric.reads)


@dataclass(frozen=True)
class Chain:
    """Entries in the order of measuring: each after those that it uses."""

    entries: tuple[Entry, ...]

    @classmethod
    def build(cls, metrics: Sequence[tuple[str | None, Metric]]) -> Chain:
        """Return the chain of these metrics, each with its alias or None, and let those that use others compose.

        Raises FaultsFound with every score name that is given twice or missing, and with cycles spelled out; the
        place of a fault is `metrics[0]`, counted as given.
        """
        drafts = [Entry.of(over_columns(metric), alias) for alias, metric in metrics]
        faults = [*_unfit(drafts), *_doubles(drafts), *_missing(drafts)]
        if faults:
            raise FaultsFound(faults)
        composed: dict[str, Entry] = {}
        for index in _order(drafts):
            try:
                entry = _compose(drafts[index], composed)
            except Exception as error:  # a stranger's code may fail in any way
                told = isinstance(error, (UsageError, ValueError))
                message = str(error) if told else f"raised {type(error).__name__} in compose: {error}"
                faults.append(Fault(f"'{drafts[index].name}': {message}", f"metrics[{index}]"))
                entry = drafts[index]
            composed |= dict.fromkeys(entry.scores, entry)
        if faults:
            raise FaultsFound(faults)
        return cls(tuple({entry.name: entry for entry in composed.values()}.values()))

    @property
    def score_names(self) -> tuple[str, ...]:
        """The names of all scores, in the order of measuring."""
        return tuple(score for entry in self.entries for score in entry.scores)

    @property
    def reads(self) -> frozenset[str]:
        """All fields that the metrics read."""
        return frozenset(field for entry in self.entries for field in entry.metric.reads)


def _unfit(drafts: Sequence[Entry]) -> list[Fault]:
    reasons = [(index, entry.name, _why_unfit(entry.metric)) for index, entry in enumerate(drafts)]
    return [Fault(f"'{name}' {why}", f"metrics[{index}]") for index, name, why in reasons if why]


def _why_unfit(metric: Metric) -> str | None:
    why = reasons_against(metric)
    if why is not None:
        return why
    if getattr(metric, "better", None) not in ("higher", "lower"):
        return "does not state whether 'higher' or 'lower' is better (better = ...)"
    if not metric.scale > 0 or math.frexp(metric.scale)[0] != 0.5:
        return f"declares the scale {metric.scale}; it must be a power of two, since others would round what is added"
    return None


def _doubles(drafts: Sequence[Entry]) -> list[Fault]:
    faults, seen = [], set[str]()
    for index, entry in enumerate(drafts):
        names = dict.fromkeys((entry.name, *entry.scores))
        message = "the score '{}' is there twice; name one of the two with 'as: NAME'"
        faults += [Fault(message.format(name), f"metrics[{index}]") for name in names if name in seen]
        seen.update(names)
    return faults


def _missing(drafts: Sequence[Entry]) -> list[Fault]:
    known = [score for entry in drafts for score in entry.scores]
    return [
        Fault(
            f"'{entry.name}' uses the score '{score}', which this chain does not have."
            f"{nearest(score, known)} It has: {', '.join(known)}.",
            f"metrics[{index}]",
        )
        for index, entry in enumerate(drafts)
        for score in entry.metric.uses
        if score not in known
    ]


def _order(drafts: Sequence[Entry]) -> list[int]:
    """Return the indices so that each comes after those it uses, otherwise as given; raises FaultsFound for a cycle."""
    maker = {score: index for index, entry in enumerate(drafts) for score in entry.scores}
    done: dict[int, None] = {}

    def visit(index: int, path: tuple[int, ...]) -> None:
        if index in path:
            circle = " -> ".join(drafts[step].name for step in (*path[path.index(index) :], index))
            raise FaultsFound([Fault(f"these metrics use each other in a circle: {circle}", f"metrics[{index}]")])
        if index not in done:
            for score in drafts[index].metric.uses:
                visit(maker[score], (*path, index))
            done[index] = None

    for index in range(len(drafts)):
        visit(index, ())
    return list(done)


def _compose(draft: Entry, composed: Mapping[str, Entry]) -> Entry:
    if not draft.metric.uses:
        return draft
    makers = [(score, composed[score]) for score in draft.metric.uses]
    parents = tuple(Parent(score, maker.metric, score.removeprefix(maker.name)) for score, maker in makers)
    return _levelled(Entry.of(draft.metric.compose(parents), draft.name), dict(makers))


def _levelled(entry: Entry, makers: Mapping[str, Entry]) -> Entry:
    """Return the entry with the level of what it builds on; raises ValueError where that is of two kinds."""
    of_samples = {score: maker.of_samples for score, maker in makers.items()}
    if entry.of_samples or not any(of_samples.values()):
        return entry
    if not all(of_samples.values()):
        one, other = (next(score for score, level in of_samples.items() if level is kind) for kind in (True, False))
        raise ValueError(f"'{one}' has one value for all repeats of a sample, '{other}' one for each; they cannot be combined")
    return replace(entry, of_samples=True)
