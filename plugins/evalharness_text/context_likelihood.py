"""How likely an answer is after its question and the passages found for it, and how much the passages add to that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness import Request, Response, Rows
from evalharness_text.likelihood import Given, TextLikelihood, asked


class ConditionalLikelihood(TextLikelihood):
    """Mean log-likelihood of a token of the answers after question and contexts, in nats per token, 0 or less.

    `of`: "response", or "references", whose sums add where a sample has several. `given` is what they are scored as
    continuations of: "contexts" are the passages, one a paragraph, and after them "Question: ", the field `input` and a line
    "Answer:"; "question" the same without passages; "prompt" the field `prompt`. It is the negative logarithm of `perplexity`
    with the same options. `model`: the scoring model; null is the system's own. A sample without contexts, or without text
    that is not blank, is unmeasured.

    >>> from evalharness import Passage, Response
    >>> metric = ConditionalLikelihood()
    >>> columns = {"response": ["Paris"], "input": ["Where?"], "contexts": [[Passage("p", "In Paris.")]]}
    >>> rows = metric.measure(**columns, answers=[[Response(logprobs=(-3.0,), tokens=(2,))]])
    >>> metric.score(nll=rows.statistics["nll"][0], size=rows.statistics["size"][0])
    -1.5
    """

    name, unit = "conditional_likelihood", "nats/token"
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    range: ClassVar[tuple[float | None, float | None] | None] = (None, 0)
    formula: ClassVar[str] = "sum of log p(answer | contexts, question) / sum of tokens of the answers"
    cite: ClassVar[str] = "Yuan et al., BARTScore: Evaluating Generated Text as Text Generation, NeurIPS 2021"
    reference: ClassVar[str] = "minus torch 2.13 cross_entropy over the answer's tokens"

    given: Given = "contexts"

    def score(self, nll: Any, size: Any) -> Any:
        """Return -nll / size."""
        return -nll / size

    def size(self, text: str, reply: Response) -> int:
        """Return the number of tokens."""
        return sum(reply.tokens or ()) or len(reply.logprobs or ())


class PointwiseMutualInformation(TextLikelihood):
    """What contexts add to the log-likelihood of the answer, in nats per answer or token, of any sign.

    log p(answer | contexts, question) - log p(answer | question), both asked of the model: above 0 where the passages make
    the answer likelier, near 0 where the model would have said it without them. `per`: "answer" is the mean over answers,
    "token" divides the sum by all their tokens. What stands before the answer is as in `conditional_likelihood`. `of`:
    "response", or "references", each of which is an answer. `model`: the scoring model; null is the system's own. A sample
    without contexts, without text that is not blank, or whose answer is impossible, is unmeasured.

    >>> from evalharness import Passage, Response
    >>> metric = PointwiseMutualInformation()
    >>> columns = {"response": ["Paris"], "input": ["Where?"], "contexts": [[Passage("p", "In Paris.")]]}
    >>> replies = [Response(logprobs=(-3.0,), tokens=(2,)), Response(logprobs=(-7.0,), tokens=(2,))]
    >>> metric.measure(**columns, answers=[replies]).statistics
    {'nats': [4.0], 'size': [1]}
    """

    name = "pointwise_mutual_information"
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    range: ClassVar[tuple[float | None, float | None] | None] = None
    formula: ClassVar[str] = (
        "sum of [log p(answer | contexts, question) - log p(answer | question)] / number of answers or tokens"
    )
    cite: ClassVar[str] = (
        "Shi et al., Trusting Your Evidence: Hallucinate Less with Context-aware Decoding, NAACL 2024; Church and Hanks, Word "
        "Association Norms, Mutual Information, and Lexicography, 1990"
    )
    reference: ClassVar[str] = "difference of two torch 2.13 cross_entropy sums over the answer's tokens"

    reads = TextLikelihood.reads  # for all that `measure` names none
    given: Literal["contexts"] = "contexts"
    per: Literal["answer", "token"] = "answer"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """What the difference is counted per."""
        return f"nats/{self.per}"

    def requests(self, text: str, before: Sequence[Any]) -> list[Request]:
        """Return the two questions for a text: after contexts and question, and after the question alone."""
        question, _ = before
        return [asked(text, "contexts", *before), asked(text, "question", question)]

    def measure(self, *_: Any, answers: Sequence[Sequence[Response]], **columns: Sequence[Any]) -> Rows:
        """Return the difference of each sample, summed over its answers, and how many answers or tokens they are."""
        nats: list[float] = []
        size: list[int] = []
        unmeasured: dict[int, str] = {}
        for row, (texts, replies) in enumerate(zip(self.texts(columns), answers, strict=True)):
            with_contexts, alone = (sum(math.fsum(reply.logprobs or ()) for reply in replies[first::2]) for first in (0, 1))
            if not texts:
                unmeasured[row] = self.lacking(columns, row)
            elif not all(reply.logprobs for reply in replies):
                unmeasured[row] = "no token was scored"
            elif math.isinf(with_contexts) or math.isinf(alone):
                unmeasured[row] = "the answer is impossible"
            nats.append(with_contexts - alone if row not in unmeasured else math.nan)
            size.append(sum(self.size(text, reply) for text, reply in zip(texts, replies[::2], strict=False)))
        return Rows({"nats": nats, "size": size}, unmeasured)

    def score(self, nats: Any, size: Any) -> Any:
        """Return nats / size."""
        return nats / size

    def size(self, text: str, reply: Response) -> int:
        """Return the number of tokens, or that this is one answer."""
        return 1 if self.per == "answer" else sum(reply.tokens or ())
