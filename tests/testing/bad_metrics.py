"""Metrics that each break the contract in one way, at module level so that they pickle."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from evalharness import Generate, Metric, Request, Response, Rows

Columns = dict[str, list[float]]
CALLS = itertools.count()


class Good(Metric):
    """Letters e per character, 0 to 1."""

    name, better, range = "good", "higher", (0, 1)

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"hits": [text.count("e") for text in response], "size": [len(text) + 1 for text in response]}

    def score(self, hits: Any, size: Any) -> Any:
        return hits / size


class Pooled(Good):
    """The share of distinct responses, 0 to 1; sees all rows."""

    pool = "rows"

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"text": response}

    def score(self, weights: Any, text: Any) -> Any:
        kept = text[np.asarray(weights) > 0]
        return len(set(kept)) / np.sum(weights)


class Asking(Good):
    """Mean number of words of the model's answers, 0 or more."""

    range = (0, None)

    def ask(self, response: list[str], answers: Sequence[Sequence[Response]]) -> list[list[Request]]:
        return [[] if replies else [Generate(prompt=f"Repeat: {text}")] for text, replies in zip(response, answers, strict=True)]

    def measure(self, response: list[str], answers: Sequence[Sequence[Response]]) -> dict[str, Any]:
        return {"hits": [len((replies[0].text or "").split()) for replies in answers], "size": [1.0 for _ in response]}


class Using(Metric):
    """Half of another score, 0 to 1."""

    name, better, range, uses = "using", "higher", (0, 1), ("token_f1",)

    def measure(self, response: list[str], values: dict[str, list[float]]) -> Columns:
        return {"half": [(value or 0.0) / 2 for value in values["token_f1"]]}


class BatchDependent(Good):
    """Length relative to the longest of the batch, 0 to 1."""

    def measure(self, response: list[str]) -> dict[str, Any]:
        longest = max(map(len, response)) + 1
        return {"hits": [len(text) / longest for text in response], "size": [1.0 for _ in response]}


class BranchingScore(Good):
    """A score that only takes one total, 0 to 1."""

    def score(self, hits: Any, size: Any) -> Any:
        return 0.0 if hits == 0 else hits / size


class SummingScore(Good):
    """A score that adds over all leading axes, 0 to 1."""

    def score(self, hits: Any, size: Any) -> Any:
        return hits / (size + 0 * np.sum(size)) * (1.0 if np.ndim(size) == 0 else 0.5)


class MutatingInputs(Good):
    """Sorts the column that it was given, 0 to 1."""

    def measure(self, response: list[str]) -> dict[str, Any]:
        response.append(response.pop(0))
        return super().measure(response[-1:] + response[:-1])


class WrongNumberOfRows(Good):
    """Leaves empty responses out, 0 to 1."""

    def measure(self, response: list[str]) -> dict[str, Any]:
        return super().measure([text for text in response if text])


class OneNumber(Good):
    """Returns the total instead of rows, 0 to 1."""

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"hits": 1.0, "size": 2.0}


class Unpicklable(Good):
    """Holds what does not pickle, 0 to 1."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle 'lock' object")


class Nondeterministic(Good):
    """Counts how often it was called, 0 or more."""

    range = (0, None)

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"hits": [next(CALLS) for _ in response], "size": [1.0 for _ in response]}


class MissingDocstring(Good):
    pass


MissingDocstring.__doc__ = "MissingDocstring()"  # what a dataclass writes by itself


class PartsMismatch(Good):
    """States other parts than its score returns, 0 to 1."""

    parts = (".share", ".rate")

    def score(self, hits: Any, size: Any) -> Any:
        return {".share": hits / size}


class OutOfRange(Good):
    """Percent, though the range says share, 0 to 1."""

    def score(self, hits: Any, size: Any) -> Any:
        return 200 * hits / size


class RangeUpsideDown(Good):
    """States its range the wrong way round."""

    range = (1, 0)


class FailsOnEmptyText(Good):
    """The code of the first character, 0 or more."""

    range = (0, None)

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"hits": [ord(text[0]) for text in response], "size": [1.0 for _ in response]}


class ShapeOfTheData(Good):
    """A statistic as long as the longest response, 0 to 1."""

    def measure(self, response: list[str]) -> dict[str, Any]:
        width = max(map(len, response)) + 1
        flags = np.zeros((len(response), width))
        return {"hits": flags, "size": flags + 1.0}

    def score(self, hits: Any, size: Any) -> Any:
        return hits.sum(-1) / size.sum(-1)


class ChangesItsOptions(Good):
    """Halves its own option each time it is built, 0 to 1."""

    limit: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", self.limit // 2)


class StrangeOption(Good):
    """Takes a set, which no task file can write, 0 to 1."""

    words: frozenset[str] = frozenset({"a"})


class UnhashableOption(Good):
    """Takes a list where a tuple belongs, 0 to 1."""

    words: tuple[str, ...] = dataclasses.field(default_factory=list)  # type: ignore[arg-type]


class ReasonWithoutWords(Good):
    """Gives no reason for what it leaves out, 0 to 1."""

    def measure(self, response: list[str]) -> Any:
        return Rows(super().measure(response), {row: "" for row, text in enumerate(response) if not text})


class EvidenceOfTheBatch(Good):
    """Gives as evidence how many samples it saw, 0 to 1."""

    def measure(self, response: list[str]) -> Any:
        return Rows(super().measure(response), evidence={row: [{"note": len(response)}] for row in range(len(response))})


class EvidenceThatIsNotPlain(Good):
    """Gives the text as bytes for evidence, 0 to 1."""

    def measure(self, response: list[str]) -> Any:
        return Rows(super().measure(response), evidence={0: [{"note": response[0].encode()}]})


class MeasuresNothing(Good):
    """Leaves every sample out, 0 to 1."""

    def measure(self, response: list[str]) -> Any:
        return Rows(super().measure(response), dict.fromkeys(range(len(response)), "no reason"))


class ReadsTheUnknown(Good):
    """Reads a field that only its own data has, 0 to 1."""

    def measure(self, blood_pressure: list[float]) -> dict[str, Any]:
        return {"hits": blood_pressure, "size": [200.0 for _ in blood_pressure]}


class IgnoresWeights(Pooled):
    """The share of distinct responses, whatever their weights, 0 to 1."""

    def score(self, weights: Any, text: Any) -> Any:
        return len(set(text)) / len(text)


class AsksForever(Asking):
    """Is never content with an answer, 0 or more."""

    def ask(self, response: list[str], answers: Sequence[Sequence[Response]]) -> list[list[Request]]:
        return [[Generate(prompt=f"Again {len(replies)}: {text}")] for text, replies in zip(response, answers, strict=True)]


class AverageOfTheBatch(Good):
    """Divides in measure by the number of rows, 0 to 1."""

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"hits": [text.count("e") / len(response) for text in response], "size": [len(text) + 1.0 for text in response]}
