"""Exact match and F1 over questions of which some have no answer, as SQuAD 2.0 scores them."""

from __future__ import annotations

from typing import ClassVar

from evalharness import Batch, Rows, refusals
from evalharness_text.answers import ExactMatch, TokenF1

_CITE = "Rajpurkar et al., Know What You Don't Know: Unanswerable Questions for SQuAD, ACL 2018"
_REFERENCE = (
    "the official SQuAD 2.0 evaluation script, exact and f1 without thresholds, whose answer to an unanswerable question is the "
    "empty text; refusals in words, which it does not know, count as that here"
)


class SquadExactMatch(ExactMatch):
    """Share of questions answered with one of their references, or not answered where there is none, 0 to 1.

    `exact_match`, but a sample without references is unanswerable instead of unmeasured: an empty response is right there,
    and so is a refusal, by the mark of the transform `refusal` or `evalharness.is_refusal`. `normalise` as there.

    >>> SquadExactMatch().evaluate(response=["1931", "I don't know."], references=[["1931"], []]).samples["squad_exact_match"]
    [1.0, 1.0]
    """

    name = "squad_exact_match"
    cite: ClassVar[str] = _CITE
    reference: ClassVar[str] = _REFERENCE

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> Rows:
        """Return whether each response equals a reference, or declines where there is none."""
        return super().measure(*_with_no_answer(response, references, batch))


class SquadF1(TokenF1):
    """F1 of words of a response and its best reference, where there is none whether it declines, mean over samples, 0 to 1.

    `token_f1`, but a sample without references is unanswerable instead of unmeasured: it has 1 where the response is empty
    or a refusal, by the mark of the transform `refusal` or `evalharness.is_refusal`, else 0. `normalise` as there.

    >>> SquadF1().evaluate(response=["in 1931", "In 1931."], references=[["1931"], []]).samples["squad_f1"]
    [0.6666666666666666, 0.0]
    """

    name = "squad_f1"
    cite: ClassVar[str] = _CITE
    reference: ClassVar[str] = _REFERENCE

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> Rows:
        """Return the F1 of each response, or whether it declines where there is no reference."""
        return super().measure(*_with_no_answer(response, references, batch))


def _with_no_answer(response: list[str], references: list[list[str]], batch: Batch) -> tuple[list[str], list[list[str]], Batch]:
    """Return the columns with the empty text as the reference of what has none, and as the response that refuses there."""
    declined = refusals(response, batch)
    rows = zip(response, references, declined, strict=True)
    told = ["" if refused and not texts else text for text, texts, refused in rows]
    inner: Batch = batch.once("unanswerable questions answered with nothing", lambda: Batch({}))
    return told, [texts or [""] for texts in references], inner
