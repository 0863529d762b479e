"""Whether a system refuses where it should, and answers where it can."""

from __future__ import annotations

from typing import ClassVar

from evalharness import Batch, Metric, refusals


class RefusalCorrectness(Metric):
    """Share of samples in which the system refused exactly where no answer exists, 0 to 1.

    A sample without references is unanswerable: refusing is right there and wrong everywhere else. What counts as a
    refusal is the mark of the transform `refusal` where the task has it, otherwise `evalharness.is_refusal`, a fixed list
    of English phrases; whether an answer is right plays no part.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("refusal_correctness")
    >>> metric.measure(response=["I don't know.", "In 1931."], references=[[], []], batch=eh.Batch({}))
    {'right': [1.0, 0.0]}
    """

    name, better, range = "refusal_correctness", "higher", (0, 1)
    formula: ClassVar[str] = "mean of [refused = (no reference)]"
    cite: ClassVar[str] = "Rajpurkar et al., Know What You Don't Know: Unanswerable Questions for SQuAD, ACL 2018"
    reference: ClassVar[str] = "closed form; the refusal patterns are tested on hand-read responses of real models"

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> dict[str, list[float]]:
        """Return whether each response refuses if and only if it has no reference."""
        pairs = zip(refusals(response, batch), references, strict=True)
        return {"right": [float(refused is not bool(texts)) for refused, texts in pairs]}
