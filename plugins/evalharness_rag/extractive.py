"""A baseline without a language model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import evalharness as eh
from evalharness_rag.support import Contexts
from evalharness_rag.tokens import content_tokens


class Extractive(eh.Model):
    """Answers with the sentence of the retrieved passages that shares most with the input.

    A sentence counts the rarity `log(1 + (N + 1) / (1 + df))` of each distinct content stem that it shares with the input,
    over the N sentences of the contexts. Among equals the earlier passage, then the earlier sentence wins; so an input
    that shares nothing gets the first sentence. Without passages, or with empty ones, the answer is the failure `empty`.

    >>> passages = (eh.Passage("p1", "The mill is old. Its wheel was made of oak."), eh.Passage("p2", "Oak burns slowly."))
    >>> request = eh.Answer(input="What was the wheel of the mill made of?", contexts=passages)
    >>> [response.text for _, response in Extractive().answer([request])]
    ['Its wheel was made of oak.']
    """

    name = "extractive"
    supports = (eh.Answer,)
    stored: ClassVar[bool] = False

    def identity(self) -> str:
        return eh.digest([self.name, 1])

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            if isinstance(request, eh.Answer):
                yield request, _answered(request)
            else:
                reason = f"model 'extractive' does not answer {request.kind} requests"
                yield request, eh.Response(error=eh.Failure("not supported", reason))


def _answered(request: eh.Answer) -> eh.Response:
    contexts = Contexts(request.contexts)
    if not contexts.sentences:
        return eh.Response(text="", error=eh.Failure("empty", "no passage to take a sentence from"))
    asked = {token.stem for token in content_tokens(request.input)}
    rarity = {stem: contexts.idf(stem) for stem in asked}
    # fsum adds exactly, so the order of a set does not matter.
    shared = [math.fsum(rarity[stem] for stem in asked.intersection(stems)) for _, _, _, stems in contexts.sentences]
    row, start, end, _ = contexts.sentences[shared.index(max(shared))]
    return eh.Response(text=request.contexts[row].text[start:end], finish="stop")
