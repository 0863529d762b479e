"""What a number format did to a system's answers: the same requests are answered in float32 too, and both compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from evalharness.contract import Choose, Metric, Model, Request, Response
from evalharness.errors import UsageError
from evalharness.running.pipeline import Pipeline, Row

FULL = "float32"
SHOWN = 5  # ids of samples
SCORE = ("value", "low", "high", "level", "interval", "reason", "groups")


def in_float32(model: Model) -> Model:
    """Return the model that differs in its number format alone; raises UsageError where there is none."""
    dtype = model.options().get("dtype")
    if dtype is None:
        raise UsageError(
            f"--compare-dtype: model '{model.name}' has no option 'dtype', so nothing can be held against float32; "
            "run without it, or choose a model that has one (hf)"
        )
    if dtype == FULL:
        raise UsageError(
            "--compare-dtype: the model computes in float32, against which others are held; "
            "set another, for example: --set system.model.hf.dtype=bfloat16"
        )
    return dataclasses.replace(model, dtype=FULL)  # type: ignore[call-arg]


class Differs(Metric):
    """Share of answers that differ from those in float32, mean over samples, of all repeats of each."""

    name, better, range = "differs", "lower", (0, 1)

    def measure(self, differs: Sequence[float]) -> dict[str, list[float]]:
        """Return the share of each sample."""
        return {"differs": list(differs)}


@dataclass
class Verdicts:
    """Which of the rows that were compared differ, by sample."""

    groups: dict[str, str] = field(default_factory=dict)
    found: dict[str, list[bool]] = field(default_factory=dict)

    def add(self, row: Row, differs: bool) -> None:
        """Add what was found of one row."""
        self.groups[row.sample.id] = row.group
        self.found.setdefault(row.sample.id, []).append(differs)

    def section(self) -> dict[str, Any]:
        """Return how many rows differ of how many, the share with its interval, and the first samples of which one does."""
        from evalharness.scoring import evaluate

        shares = [sum(each) / len(each) for each in self.found.values()]
        clustered = {"group": list(self.groups.values())} if any(id != group for id, group in self.groups.items()) else {}
        score = evaluate(Differs(), {"id": list(self.found), "differs": shares, **clustered}).scores["differs"]
        return {
            "compared": sum(map(len, self.found.values())),
            "different": sum(map(sum, self.found.values())),
            **{name: getattr(score, name) for name in SCORE},
            "first": [id for id, each in self.found.items() if any(each)][:SHOWN],
        }


@dataclass
class Precision:
    """Holds the responses of a model against those of the same model in float32, stage by stage."""

    model: Model
    full: Model
    choices: Verdicts = field(default_factory=Verdicts)
    texts: Verdicts = field(default_factory=Verdicts)
    apart: tuple[float, str] = (-1.0, "")
    failed: int = 0

    @classmethod
    def of(cls, model: Model) -> Precision:
        """Return the comparison of a model; raises UsageError where it cannot be made."""
        return cls(model, in_float32(model))

    def add(self, pipeline: Pipeline) -> None:
        """Ask in float32 what the system was asked in a stage, as far as it is not stored, and compare the responses."""
        engine = pipeline.engine
        engine.fill(self.full, [request for rows in pipeline.rows() for _, request in _asked(rows, pipeline)], name=FULL)
        for rows in pipeline.rows():
            asked = _asked(rows, pipeline)
            requests = [request for _, request in asked]
            pairs = zip(engine.read(self.model, requests), engine.read(self.full, requests), strict=True)
            for (row, request), (own, full) in zip(asked, pairs, strict=True):
                self._compare(row, request, own, full)

    def _compare(self, row: Row, request: Request, own: Response, full: Response) -> None:
        if own.error is not None or full.error is not None:
            self.failed += 1
            return
        if own.text is not None:
            self.texts.add(row, own.text != full.text)
        elif own.logprobs and full.logprobs:
            if isinstance(request, Choose):
                self.choices.add(row, _likeliest(own.logprobs) != _likeliest(full.logprobs))
            largest = max(map(_difference, own.logprobs, full.logprobs))
            self.apart = max(self.apart, (largest, row.sample.id), key=itemgetter(0))

    def section(self) -> dict[str, Any]:
        """Return what the record says: a function of the data and the system."""
        found: dict[str, Any] = {"dtype": self.model.options()["dtype"], "against": FULL, "identity": self.full.identity()}
        found |= {name: each.section() for name, each in (("choices", self.choices), ("texts", self.texts)) if each.found}
        largest, sample = self.apart
        if sample:
            found["logprobs"] = {"largest_difference": largest if math.isfinite(largest) else None, "sample": sample}
        return {**found, "not_compared": self.failed}


def _asked(rows: Sequence[Row], pipeline: Pipeline) -> list[tuple[Row, Request]]:
    """Return the rows that the model is asked for, each with its request."""
    requests = zip(rows, pipeline.requests(rows, pipeline.contexts(rows)), strict=True)
    return [(row, request) for row, request in requests if request is not None]


def _likeliest(logprobs: Sequence[float]) -> int:
    return max(range(len(logprobs)), key=logprobs.__getitem__)


def _difference(one: float, other: float) -> float:
    return 0.0 if one == other else abs(one - other)  # also where both are minus infinity
