"""How likely a model finds the two answers of a preference pair after their prompt; it is asked for both at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness import Choose, Message, Metric, Request, Response, Rows, Spec

Answers = Sequence[Sequence[Response]]
Pair = tuple[float, float]


class _OfPair(Metric):
    """What metrics of a preference pair share: what they ask, and why a pair has no answer."""

    family: ClassVar[str] = "preference"
    model: Spec | None = dataclasses.field(default=None, metadata={"kind": "model"})

    def ask(  # type: ignore[override]
        self, *_: Any, prompt: Sequence[Any], chosen: Sequence[str], rejected: Sequence[str], answers: Answers
    ) -> list[list[Request]]:
        """Return one request for each pair of answers that are not blank; nothing for rows that have their reply."""
        rows = zip(prompt, chosen, rejected, answers, strict=True)
        return [[] if replies or _blank(*pair) else [_request(before, *pair)] for before, *pair, replies in rows]

    def scored(self, chosen: Sequence[str], rejected: Sequence[str], answers: Answers) -> tuple[list[Any], dict[int, str]]:
        """Return the log-probabilities of each pair, and the reason where there are none."""
        found: list[Any] = []
        unmeasured: dict[int, str] = {}
        for row, (replies, *pair) in enumerate(zip(answers, chosen, rejected, strict=True)):
            values = replies[0].logprobs if replies else None
            if values is None or len(values) != 2 or any(map(math.isnan, values)):
                unmeasured[row] = "empty answer" if _blank(*pair) else "log-likelihoods missing"
                values = (math.nan, math.nan)
            found.append(values)
        return found, unmeasured


class PreferenceWinRate(_OfPair):
    """Share of pairs whose chosen answer the model finds likelier than the rejected one, 0 to 1; a tie counts half.

    `chosen` and `rejected` are scored as continuations of the field `prompt`, which training tasks provide. `per`:
    "answer" compares log-probabilities of whole answers, which DPO and IPO move and which favours short ones; "token"
    divides each by the answer's tokens, as SimPO does. `model`: the model that is asked; null is the system's own. A pair
    with a blank answer is unmeasured.

    >>> metric = PreferenceWinRate()
    >>> metric.measure(chosen=["no"], rejected=["yes"], prompt=["?"], answers=[[Response(logprobs=(-1.0, -2.0))]]).statistics
    {'won': [1.0]}
    """

    name, better, range = "preference_win_rate", "higher", (0, 1)
    formula: ClassVar[str] = "mean over pairs of [log p(chosen | prompt) > log p(rejected | prompt)], ties half"
    cite: ClassVar[str] = "Rafailov et al., Direct Preference Optimization, NeurIPS 2023; Lambert et al., RewardBench, 2024"
    reference: ClassVar[str] = "closed form"

    per: Literal["answer", "token"] = "answer"

    def measure(self, prompt: Sequence[Any], chosen: Sequence[str], rejected: Sequence[str], answers: Answers) -> Rows:
        """Return 1 for each pair that is won, 0.5 for a tie."""
        values, unmeasured = self.scored(chosen, rejected, answers)
        if self.per == "token":
            values = [
                self._per_token(pair, replies, row, unmeasured)
                for row, (pair, replies) in enumerate(zip(values, answers, strict=True))
            ]
        won = [
            math.nan if math.isnan(first) else float(first > second) + 0.5 * float(first == second) for first, second in values
        ]
        return Rows({"won": won}, unmeasured)

    def _per_token(self, values: Pair, replies: Sequence[Response], row: int, unmeasured: dict[int, str]) -> Pair:
        """Return the log-probabilities of a token; a model that does not tell how many there are leaves the row unmeasured."""
        counts = replies[0].tokens if replies else None
        if row in unmeasured or counts is None or len(counts) != 2 or 0 in counts:
            unmeasured.setdefault(row, "numbers of tokens missing")
            return math.nan, math.nan
        return values[0] / counts[0], values[1] / counts[1]


class AnswerLikelihood(_OfPair):
    """Mean log-probability of one answer of each pair after its prompt, in nats an answer, 0 or less.

    `of`: "chosen" or "rejected". Both are asked for in one request, which `preference_win_rate` makes too. `model`: the
    model that is asked; null is the system's own. A pair with a blank answer is unmeasured.

    >>> metric = AnswerLikelihood(of="rejected")
    >>> metric.measure(chosen=["no"], rejected=["yes"], prompt=["?"], answers=[[Response(logprobs=(-1.0, -2.0))]]).statistics
    {'nats': [-2.0]}
    """

    name, better, unit, range = "answer_likelihood", "higher", "nats/answer", (None, 0)
    formula: ClassVar[str] = "mean over samples of sum_t log p(answer_t | prompt, answer_<t)"
    cite: ClassVar[str] = "Razin et al., Unintentional Unalignment: Likelihood Displacement in DPO, ICLR 2025"
    reference: ClassVar[str] = "closed form"

    of: Literal["chosen", "rejected"] = "chosen"

    def measure(self, prompt: Sequence[Any], chosen: Sequence[str], rejected: Sequence[str], answers: Answers) -> Rows:
        """Return the log-probability of the answer in each pair."""
        values, unmeasured = self.scored(chosen, rejected, answers)
        return Rows({"nats": [pair[self.of == "rejected"] for pair in values]}, unmeasured)


def _blank(chosen: str, rejected: str) -> bool:
    return not chosen.strip() or not rejected.strip()


def _request(prompt: Any, chosen: str, rejected: str) -> Request:
    """Return the question for both continuations of a prompt, which is a text or turns."""
    turns = prompt if isinstance(prompt, str) else tuple(Message(turn["role"], turn["content"]) for turn in prompt)
    return Choose(prompt=turns, choices=(chosen, rejected), delimiter="")
