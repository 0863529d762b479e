"""What a run cost, as its record says it: in US dollars, by model, None where a price is not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from evalharness.running.measuring import Scoring
from evalharness.running.parts import Parts
from evalharness.systems.budget import Budget


def costs(budget: Budget, parts: Parts, scoring: Scoring) -> dict[str, Any]:
    """Return what the record's section `usage` says of cost: of this run, and of all responses whenever they were asked for."""
    responses = _of_responses(budget, parts, scoring)
    found = {**_section(budget, budget.costs()), "responses": {**dataclasses.asdict(scoring.spent), **responses}}
    if budget.limits:
        found["limits"] = {name: limit for name, limit in dataclasses.asdict(budget.limits).items() if limit is not None}
    return found


def _of_responses(budget: Budget, parts: Parts, scoring: Scoring) -> dict[str, Any]:
    """Return the cost of what the system answered and of what metrics were answered, each as often as it was used.

    What recorded responses cost once is not known, and no part of it.
    """
    spent = [(parts.model, scoring.spent), *((parts.asking[name], each) for name, each in scoring.replied.items())]
    costs = ((model, budget.cost(model, each.input_tokens, each.output_tokens)) for model, each in spent if model.stored)
    return _section(budget, budget.by_name(costs))


def _section(budget: Budget, by_model: Mapping[str, float | None]) -> dict[str, Any]:
    known = [cost for cost in by_model.values() if cost is not None]
    total = sum(known) if budget.prices and len(known) == len(by_model) else None
    return {"cost": total, "costs": dict(by_model)}


def untold(budget: Budget) -> Iterator[str]:
    """Yield in full sentences of which answers it is not known what they took."""
    for model, kinds in budget.counts.items():
        count = sum(each.untold for each in kinds.values())
        if count:
            yield (
                f"{count:,} answers of '{model.sold_as or model.name}' did not tell their tokens: "
                "limits and cost count what they may have taken at most"
            )
