"""Metrics of how likely a language model finds a text; the model is asked, never called."""

from __future__ import annotations

import dataclasses
import math
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from evalharness import Choose, Likelihood, Message, Metric, Passage, Request, Response, Rows, Spec, neutral

_SPACE = re.compile(r"\s+")
_MISSING = {"response": "empty response", "references": "no reference", "text": "empty text"}
Given = Literal["nothing", "prompt", "question", "contexts"]
FIELDS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "prompt": ("prompt",),
    "question": ("input",),
    "contexts": ("input", "contexts"),
}


class TextLikelihood(Metric):
    """Negative log-likelihood in nats of the texts of one field, and their size in some unit."""

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, None)
    family: ClassVar[str] = "perplexity"

    of: Literal["response", "references", "text"] = "response"
    given: Given = neutral("nothing")
    model: Spec | None = dataclasses.field(default=None, metadata={"kind": "model"})

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The field whose texts are scored, and those of what they follow."""
        return (self.of, *FIELDS[self.given])

    def ask(self, *_: Any, answers: Sequence[Sequence[Response]], **columns: Sequence[Any]) -> list[list[Request]]:
        """Return one request for each text that is not blank; nothing for rows that have their answers."""
        before = (
            [()] * len(answers) if self.given == "nothing" else zip(*(columns[name] for name in FIELDS[self.given]), strict=True)
        )
        rows = zip(self.texts(columns), before, answers, strict=True)
        return [
            [] if replies else [request for text in texts for request in self.requests(text, given)]
            for texts, given, replies in rows
        ]

    def requests(self, text: str, before: Sequence[Any]) -> list[Request]:
        """Return the questions for one text; `before` holds what it is scored as a continuation of."""
        return [asked(text, self.given, *before)]

    def measure(self, *_: Any, answers: Sequence[Sequence[Response]], **columns: Sequence[Any]) -> Rows:
        """Return each sample's negative log-likelihood and size, summed over its texts."""
        nll: list[float] = []
        size: list[int] = []
        unmeasured: dict[int, str] = {}
        for row, (texts, replies) in enumerate(zip(self.texts(columns), answers, strict=True)):
            if not texts:
                unmeasured[row] = self.lacking(columns, row)
            elif not all(reply.logprobs for reply in replies):
                unmeasured[row] = "no token was scored"
            nll.append(-math.fsum(value for reply in replies for value in reply.logprobs or ()))
            size.append(sum(self.size(text, reply) for text, reply in zip(texts, replies, strict=True)))
        return Rows({"nll": nll, "size": size}, unmeasured)

    def texts(self, columns: Mapping[str, Sequence[Any]]) -> list[list[str]]:
        """Return the texts of each row that are scored: none that is blank, none where contexts are wanted and missing."""
        column = columns[self.of]
        rows = column if self.of == "references" else [[text] for text in column]
        given = columns["contexts"] if self.given == "contexts" else [True] * len(rows)
        return [
            [text for text in texts if before and text and not text.isspace()] for texts, before in zip(rows, given, strict=True)
        ]

    def lacking(self, columns: Mapping[str, Sequence[Any]], row: int) -> str:
        """Return why nothing of a row is scored."""
        if self.given == "contexts" and not columns["contexts"][row]:
            return "no contexts"
        return "empty text" if columns[self.of][row] else _MISSING[self.of]

    @abstractmethod
    def size(self, text: str, reply: Response) -> int:
        """Return the size of one text in the unit that the likelihood is counted per."""
        raise NotImplementedError


class Perplexity(TextLikelihood):
    """Exponential of the mean negative log-likelihood in nats per token, word or byte of the texts, 1 or more.

    `of` names the field that is scored; several references of a sample are texts of their own, whose sums add.
    `level`: "token" divides by the tokens that the model scored, so that values of two tokenizers do not compare;
    "word" (split at white space, as the reference counts) and "byte" (UTF-8) do. `given` is what the texts are scored as
    continuations of: "prompt" is the field `prompt`, which training tasks provide; "question" the field `input` between
    "Question: " and a line "Answer:"; "contexts" that after the passages, one a paragraph. `model`: the scoring model; null
    is the system's own. Blank texts are not asked about; a sample with no other text, or without contexts where those are
    given, is unmeasured.

    >>> from evalharness import Response
    >>> metric = Perplexity(of="text")
    >>> reply = Response(logprobs=(-1.0, -3.0))
    >>> rows = metric.measure(text=["two words"], answers=[[reply]])
    >>> rows.statistics, round(float(metric.score(nll=4.0, size=2)), 3)
    ({'nll': [4.0], 'size': [2]}, 7.389)
    """

    name = "perplexity"
    formula: ClassVar[str] = "exp(-sum log p / number of tokens, words or bytes)"
    cite: ClassVar[str] = "Jelinek et al., Perplexity - a measure of the difficulty of speech recognition tasks, JASA 62, 1977"
    reference: ClassVar[str] = (
        "exp of torch 2.13 cross_entropy (token); words and bytes counted as lm-evaluation-harness 0.4.13 does"
    )

    level: Literal["token", "word", "byte"] = "token"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """What the likelihood is counted per."""
        return f"per {self.level}"

    def score(self, nll: Any, size: Any) -> Any:
        """Return exp(nll / size)."""
        import numpy as np

        with np.errstate(over="ignore"):  # beyond the range of floats the value is infinite, which the harness reports
            return np.exp(nll / size)

    def size(self, text: str, reply: Response) -> int:
        if self.level == "token":
            return sum(reply.tokens or ()) or len(reply.logprobs or ())
        return len(_SPACE.split(text)) if self.level == "word" else _bytes(text)


class BitsPerByte(TextLikelihood):
    """Negative log-likelihood of the texts in bits per UTF-8 byte, 0 or more.

    Values of models with different tokenizers compare. `of`, `given` and `model` as in `perplexity`.

    >>> from evalharness import Response
    >>> metric = BitsPerByte(of="text")
    >>> rows = metric.measure(text=["ab"], answers=[[Response(logprobs=(-1.0, -3.0))]])
    >>> round(float(metric.score(nll=4.0, size=2)), 3)
    2.885
    """

    name, unit = "bits_per_byte", "bits/byte"
    formula: ClassVar[str] = "-sum log p / (ln 2 x bytes)"
    cite: ClassVar[str] = "Gao et al., The Pile: An 800GB Dataset of Diverse Text for Language Modeling, 2020, section 3.1"
    reference: ClassVar[str] = "closed form, log2 of the byte perplexity; bytes counted as lm-evaluation-harness 0.4.13 does"

    def score(self, nll: Any, size: Any) -> Any:
        """Return nll / (ln 2 x size)."""
        return nll / (math.log(2) * size)

    def size(self, text: str, reply: Response) -> int:
        return _bytes(text)


def asked(text: str, given: Given, *before: Any) -> Request:
    """Return the question for a text alone, or for the one continuation of what is given before it.

    >>> asked("in 1871", "question", "When?")
    Choose(sample='', repeat=0, prompt='Question: When?\\nAnswer:', choices=('in 1871',), delimiter=' ')
    """
    if given == "nothing":
        return Likelihood(text=text)
    if given != "prompt":
        return Choose(prompt=_question(*before), choices=(text,), delimiter=" ")
    (prompt,) = before
    turns = prompt if isinstance(prompt, str) else tuple(Message(turn["role"], turn["content"]) for turn in prompt)
    return Choose(prompt=turns, choices=(text,), delimiter="")


def _question(question: str, contexts: Sequence[Passage] = ()) -> str:
    return "".join(f"{passage.text}\n\n" for passage in contexts) + f"Question: {question}\nAnswer:"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
