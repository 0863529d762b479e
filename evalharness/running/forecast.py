"""What a run would take, found without asking a model: requests, tokens, cost and time, and what metrics would ask.

Retrieval is done where it must be, since prompts hold what was found: it is local, and its results are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.contract import Forecast, Model, Request
from evalharness.data import read_samples
from evalharness.running.execution import Watch, make_pipeline
from evalharness.running.goals import bounded_means, bounds
from evalharness.running.launch import refuse_errors, unwatched
from evalharness.running.looking import Looking, MetricOutlook
from evalharness.running.parts import build_parts
from evalharness.systems.budget import Budget, Limits, Taken, forecast_of, refuse_unpriced
from evalharness.systems.engine import Engine, Work
from evalharness.systems.history import Past, past
from evalharness.systems.store import Store
from evalharness.task import Task, load_task


@dataclass(frozen=True, kw_only=True)
class ModelOutlook:
    """What one model would be asked of one kind: `forecast` is of the requests that are not stored, `most` their worst case.

    `sold` says whether it is a model that costs something. `written`, `cost` and `seconds` are what is to be expected after
    the answers that the store has seen (`known` of them); None where it has seen none, or for a cost without a price.
    """

    model: str
    sold: bool
    kind: str
    asked_by: tuple[str, ...]
    requests: int
    stored: int
    forecast: Forecast
    most: Taken
    known: int = 0
    written: int | None = None
    cost: float | None = None
    most_cost: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A plan of a run. `ranges` has the bounds of those `scores` that are means of values within two bounds."""

    task: Task
    samples: int
    groups: int
    queries: int
    searched: int
    models: tuple[ModelOutlook, ...]
    metrics: tuple[MetricOutlook, ...]
    scores: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]


def forecast(
    path: str | Path,
    *,
    limits: Limits,
    limit: int | None = None,
    strict: bool = False,
    store: str | Path | None = None,
    fresh: bool = False,
    watch: Watch = unwatched,
    **replaced: Any,
) -> Outlook:
    """Return what a run of a task file would take, asking no model; options, `replaced` too, and errors are those of `run`."""
    task = load_task(path, **replaced)
    refuse_errors(task)
    parts = build_parts(task, registry.installed())
    refuse_unpriced(limits, (parts.model, *parts.asking.values()), task.system.prices)
    with Store(None if store is None else Path(store), fresh=fresh) as opened:
        retrieval = Work("retriever", total=0)

        def watched(work: Work) -> None:
            nonlocal retrieval
            retrieval = work
            watch(work)

        reader = read_samples(task, limit=limit, strict=strict)
        engine = Engine(opened, budget=Budget(prices=task.system.prices))
        pipeline = make_pipeline(task, parts, engine, lambda: reader, watched)
        pipeline.fill_contexts()
        looking = Looking(parts, pipeline, engine)
        looking.look()
        return Outlook(
            task=task, samples=reader.count, groups=len(looking.groups),
            queries=retrieval.total, searched=retrieval.total - retrieval.stored,
            models=tuple(_models(looking, engine)), metrics=tuple(looking.metrics()),
            scores=tuple(parts.chain.score_names),
            ranges={name: bounds(entry) for name, entry in bounded_means(parts.chain).items()},
        )  # fmt: skip


def _models(looking: Looking, engine: Engine) -> Iterator[ModelOutlook]:
    """Yield what each model would be asked of each kind of request."""
    for (model, kind), keys in looking.keys.items():
        todo = list(looking.missing.get((model, kind), {}).values())
        found = _outlook(model, todo, engine, past(engine.store.path, engine.maker(model), kind))
        yield ModelOutlook(
            model=model.sold_as or model.name, sold=bool(model.sold_as), kind=kind,
            asked_by=tuple(looking.asked_by[model, kind]), requests=len(keys), stored=len(keys) - len(todo), **found,
        )  # fmt: skip


def _outlook(model: Model, todo: Sequence[Request], engine: Engine, known: Past | None) -> dict[str, Any]:
    """Return what requests that are not stored would take."""
    expected = forecast_of(model, todo) if todo else Forecast()
    most = engine.budget.worst(model, todo) if todo else Taken()
    written = _written(expected, known)
    return {
        "forecast": expected, "most": most, "known": 0 if known is None else known.requests, "written": written,
        "cost": None if written is None else engine.budget.cost(model, expected.input_tokens, written),
        "most_cost": engine.budget.cost(model, most.input_tokens, most.output_tokens),
        "seconds": _seconds(model, expected, written, known),
    }  # fmt: skip


def _written(expected: Forecast, known: Past | None) -> int | None:
    """Return how many tokens will be written, if answers are as long as those before; None where there was none."""
    if not expected.most_output_tokens:
        return 0
    if known is None:
        return None
    return min(round(expected.requests * known.output_tokens / known.requests), expected.most_output_tokens)


def _seconds(model: Model, expected: Forecast, written: int | None, known: Past | None) -> float | None:
    """Return how long it takes: local work by tokens that go through the model, a service by requests."""
    if not expected.requests:
        return 0.0
    if known is None or written is None:
        return None
    tokens = known.run_tokens + known.output_tokens
    if model.local and tokens:
        return known.seconds * (expected.input_tokens - expected.shared_tokens + written) / tokens
    return known.seconds * expected.requests / known.requests
