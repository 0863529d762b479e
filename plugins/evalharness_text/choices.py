"""Choosing among given continuations by their log-likelihood: how often right, by how much, and how often undecided."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from evalharness import Choose, Metric, Request, Response, Rows, Spec, Unmeasured

Normalise = Literal["none", "characters", "bytes", "tokens"]
Target = int | Sequence[int]

MISSING = "log-likelihoods missing"
_LENGTH: dict[str, Callable[[str], int]] = {
    "none": lambda choice: 1,
    "characters": len,
    "bytes": lambda choice: len(choice.encode("utf-8", "surrogatepass")),
}


@dataclass(frozen=True)
class Compared:
    """One value a choice, the likeliest the highest, and which choices are right."""

    values: Sequence[float]
    right: frozenset[int]

    @property
    def best(self) -> list[int]:
        """The choices that share the highest value."""
        highest = max(self.values)
        return [place for place, value in enumerate(self.values) if value == highest]

    @property
    def share_right(self) -> float:
        """The part that right choices have in the best ones, each of which counts alike."""
        return len(self.right & set(self.best)) / len(self.best)


def compared(values: Sequence[float], target: Target, choices: Sequence[str]) -> Compared | Unmeasured:
    """Return the values of a sample's choices with those that are right, or why they cannot be compared."""
    right = frozenset(target if isinstance(target, (list, tuple)) else [target])
    if len(values) != len(choices) or any(map(math.isnan, values)):
        return Unmeasured(MISSING)
    if not right or not all(0 <= place < len(choices) for place in right):
        return Unmeasured("target is no choice")
    return Compared(values, right)


class OfChoices(Metric):
    """What metrics of choices share: the values that they compare, and why a sample has none."""

    family: ClassVar[str] = "choice_accuracy"

    normalise: Normalise = "none"

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The log-likelihoods and what is right, and the numbers of tokens where those divide."""
        counts = ("choice_tokens",) if self.normalise == "tokens" else ()
        return ("logprobs", "target", "choices", *counts)

    def compared(
        self, logprobs: Sequence[Any], target: Sequence[Target], choices: Sequence[Sequence[str]], choice_tokens: Any = None
    ) -> list[Compared | Unmeasured]:
        """Return what is compared of each sample."""
        counts = choice_tokens or [[]] * len(choices)
        rows = zip(logprobs, target, choices, counts, strict=True)
        return [compared(self._divided(values, *sizes), right, sizes[0]) for values, right, *sizes in rows]

    def measure(self, *_: Any, **columns: Sequence[Any]) -> Rows:
        """Return the value of each sample."""
        return self.rows(self.compared(**columns))

    def rows(self, found: Sequence[Compared | Unmeasured]) -> Rows:
        """Return the value of each sample, and a note beside those whose best choice is not the only one."""
        results = [item if isinstance(item, Unmeasured) else self.value(item) for item in found]
        reasons = {row: result.reason for row, result in enumerate(results) if isinstance(result, Unmeasured)}
        values = [math.nan if isinstance(result, Unmeasured) else result for result in results]
        return Rows({"value": values}, reasons, _ties(found))

    @abstractmethod
    def value(self, item: Compared) -> float | Unmeasured:
        """Return the value of one sample."""
        raise NotImplementedError

    def _divided(self, values: Sequence[float], choices: Sequence[str], counts: Sequence[int]) -> Sequence[float]:
        """Return values per unit of length; an empty choice counts as one, so that nothing is divided by zero."""
        if len(values) != len(choices) or (self.normalise == "tokens" and len(counts) != len(choices)):
            return ()
        sizes = counts if self.normalise == "tokens" else map(_LENGTH[self.normalise], choices)
        return [value / max(size, 1) for value, size in zip(values, sizes, strict=True)]


def _ties(found: Sequence[Compared | Unmeasured]) -> dict[int, list[dict[str, str]]]:
    tied = {row: item for row, item in enumerate(found) if isinstance(item, Compared) and len(item.best) > 1}
    return {row: [{"note": f"tie: choices {_listed(item.best)} share the highest value"}] for row, item in tied.items()}


def _listed(places: Sequence[int]) -> str:
    return ", ".join(map(str, places[:-1])) + f" and {places[-1]}"


class ChoiceAccuracy(OfChoices):
    """Share of samples whose right choice has the highest log-likelihood, 0 to 1.

    `normalise`: "none" compares the log-likelihoods themselves, which favours short choices; "characters", "bytes" (UTF-8)
    and "tokens" (those that the model scored) divide each by the choice's length. Of several right choices (`target` is a
    list) any will do. Where several choices share the highest value, each has an equal part of the sample: a right one
    among two counts 0.5, whatever its place. Such samples bear a note, and `choice_ties` counts them. A sample with a
    log-likelihood that is not a number, with another number of log-likelihoods than choices, or whose target is no choice,
    is unmeasured.

    >>> metric = ChoiceAccuracy()
    >>> rows = metric.measure(logprobs=[[-2.0, -1.0], [-3.0, -3.0]], target=[1, 0], choices=[["no", "yes"], ["a", "b"]])
    >>> rows.statistics, rows.evidence
    ({'value': [1.0, 0.5]}, {1: [{'note': 'tie: choices 0 and 1 share the highest value'}]})
    """

    name, better, range = "choice_accuracy", "higher", (0, 1)
    formula: ClassVar[str] = "mean over samples of [right choice in argmax_i l_i / length_i] / number of choices in the argmax"
    cite: ClassVar[str] = "Brown et al., Language Models are Few-Shot Learners, NeurIPS 2020, section 2.4"
    reference: ClassVar[str] = (
        "lm-evaluation-harness 0.4.13: acc (none), acc_norm (characters), acc_bytes (bytes); it takes the first of tied choices, "
        "and counts a target that is no choice as wrong; tokens: closed form"
    )

    def value(self, item: Compared) -> float:
        """Return the part that right choices have in the best."""
        return item.share_right


class ChoiceAccuracyMutualInformation(Metric):
    """Share of samples whose right choice gains most log-likelihood from its prompt, 0 to 1.

    Compared are log p(choice | prompt) - log p(choice | premise), so that a choice is not favoured for being common. The
    second is asked of the model, once for equal choices; `premise` is what stands there in place of the prompt: nothing, or
    a neutral text such as "Answer:". `delimiter` stands before each choice, as the task's own does (one space; "" under a
    chat template). `model`: the model that is asked; null is the system's own, which is the one to ask. Several right
    choices and ties as in `choice_accuracy`.

    >>> metric = ChoiceAccuracyMutualInformation()
    >>> replies = [[Response(logprobs=(-1.0, -9.0))]]
    >>> metric.measure(logprobs=[[-2.0, -5.0]], target=[1], choices=[["no", "seldom"]], answers=replies).statistics
    {'value': [1.0]}
    """

    name, better, range = "choice_accuracy_mutual_information", "higher", (0, 1)
    family: ClassVar[str] = "choice_accuracy"
    formula: ClassVar[str] = "mean over samples of [right choice = argmax_i log p(choice_i | prompt) - log p(choice_i | premise)]"
    cite: ClassVar[str] = (
        "Holtzman et al., Surface Form Competition: Why the Highest Probability Answer Isn't Always Right, EMNLP 2021"
    )
    reference: ClassVar[str] = (
        "lm-evaluation-harness 0.4.13 acc_mutual_info, which takes the first of tied choices and never finds a list of targets"
    )

    premise: str = ""
    delimiter: str = " "
    model: Spec | None = dataclasses.field(default=None, metadata={"kind": "model"})

    def ask(  # type: ignore[override]
        self, *_: Any, choices: Sequence[Sequence[str]], answers: Sequence[Sequence[Response]], **columns: Sequence[Any]
    ) -> list[list[Request]]:
        """Return one request for the choices of each row; nothing for rows that have their reply."""
        rows = zip(choices, answers, strict=True)
        return [[] if replies else [self._request(texts)] for texts, replies in rows]

    def _request(self, choices: Sequence[str]) -> Request:
        return Choose(prompt=self.premise, choices=tuple(choices), delimiter=self.delimiter)

    def measure(
        self,
        logprobs: Sequence[Sequence[float]],
        target: Sequence[Target],
        choices: Sequence[Sequence[str]],
        answers: Sequence[Sequence[Response]],
    ) -> Rows:
        """Return the part that right choices have in those that gain most."""
        rows = zip(logprobs, target, choices, answers, strict=True)
        found = [compared(_gains(values, replies), right, texts) for values, right, texts, replies in rows]
        return ChoiceAccuracy().rows(found)


def _gains(values: Sequence[float], replies: Sequence[Response]) -> list[float]:
    """Return how much each value exceeds the reply's; none where they are not equally many."""
    alone = (replies[0].logprobs if replies else None) or ()
    return [value - other for value, other in zip(values, alone, strict=True)] if len(alone) == len(values) else []


class ChoiceTies(OfChoices):
    """Share of samples whose highest log-likelihood several choices have, 0 to 1: those that `choice_accuracy` divides.

    `normalise` as in `choice_accuracy`. A tie costs nothing where all that is tied is wrong; it counts all the same. Many
    ties say that choices are equal texts, or that the model's numbers are too coarse to tell them apart.

    >>> metric = ChoiceTies()
    >>> metric.measure(logprobs=[[-2.0, -1.0], [-3.0, -3.0]], target=[1, 0], choices=[["no", "yes"], ["a", "b"]]).statistics
    {'value': [0.0, 1.0]}
    """

    name, better, range = "choice_ties", "lower", (0, 1)
    formula: ClassVar[str] = "mean over samples of [more than one choice has the highest l_i / length_i]"
    cite: ClassVar[str] = "none; numpy.argmax, which other harnesses use, takes the first"
    reference: ClassVar[str] = "closed form"

    def value(self, item: Compared) -> float:
        """Return 1 for a tie."""
        return float(len(item.best) > 1)


class ChoiceMargin(OfChoices):
    """Log-likelihood of the best right choice minus that of the best wrong one, in nats, mean over samples, of any sign.

    Above 0 where the right one is chosen. `normalise` as in `choice_accuracy`; the unit is then nats per character, byte
    or token. A sample without a wrong choice is unmeasured.

    >>> metric = ChoiceMargin()
    >>> metric.measure(logprobs=[[-2.0, -1.0]], target=[1], choices=[["no", "yes"]]).statistics
    {'value': [1.0]}
    """

    name, better, range = "choice_margin", "higher", None
    formula: ClassVar[str] = "mean over samples of max_{i right} l_i / length_i - max_{j wrong} l_j / length_j"
    cite: ClassVar[str] = (
        "Crammer and Singer, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines, JMLR 2001"
    )
    reference: ClassVar[str] = "closed form"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """What the difference is counted in."""
        return "nats" if self.normalise == "none" else f"nats/{self.normalise.removesuffix('s')}"

    def value(self, item: Compared) -> float | Unmeasured:
        """Return the difference."""
        wrong = [value for place, value in enumerate(item.values) if place not in item.right]
        return max(item.values[place] for place in item.right) - max(wrong) if wrong else Unmeasured("no wrong choice")
