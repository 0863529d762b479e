"""Answers one chunk of requests of one kind with the weights of a model."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import evalharness as eh
from evalharness_hf.likelihood import Asked, asked
from evalharness_hf.memory import ran_out
from evalharness_hf.planning import Addition, Size, additions, chunks, tree_chunks
from evalharness_hf.rolling import Rolling
from evalharness_hf.scored import Scored
from evalharness_hf.tokens import Tokens, tokens

if TYPE_CHECKING:
    from evalharness_hf.scoring import Found

SCORED = (eh.Choose, eh.Likelihood)
IN_TREES = (*SCORED, eh.Generate)
ROUNDS = 2  # how often a chunk that is generated fills the budget: as rows leave, others take their place


class Refused(Exception):
    """A request that a model cannot answer, with the failure that says why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.failure = eh.Failure(kind, message)


@dataclass(frozen=True)
class Local:
    """Weights at work: their name, their adapters and tokenizer, and where and how precisely the network runs, loaded on use."""

    weights: str
    adapter: str | None
    tokens: Tokens
    dtype: str
    device: str
    budget: int
    rolling: Rolling

    def network(self) -> Any:
        """Return the language model, loaded once a process."""
        from evalharness_hf.network import language_model

        return language_model(self.weights, self.adapter, self.dtype, self.device)

    def forget(self) -> None:
        """Keep nothing of what ran before, where memory is short."""
        from evalharness_hf import prefix

        if self.tokens.causal:
            prefix.forget(self.network())

    def remarks(self) -> list[str]:
        """Return in which other way than the fastest the network answered, and why."""
        from evalharness_hf import support

        return support.remarks(self.network()) if self.tokens.causal else []

    def size(self, request: eh.Request) -> Size:
        """Return what a request takes; one that cannot be put into tokens gets a chunk of its own, where it fails."""
        try:
            return _size(request, self.tokens)
        except Exception:  # the same error comes up again when the request is answered, and becomes its failure
            return Size(1, self.budget + 1)

    def chunks(self, requests: Sequence[eh.Request]) -> Iterator[list[eh.Request]]:
        """Cut requests into chunks; what is generated or scored in the order of its tree, anything else by length."""
        yield from chunks([request for request in requests if not isinstance(request, IN_TREES)], self.size, self.budget)
        yield from tree_chunks(self.continued([each for each in requests if isinstance(each, eh.Generate)]), ROUNDS * self.budget)
        for kind in SCORED:
            yield from tree_chunks(self.additions([request for request in requests if isinstance(request, kind)]), self.budget)

    def additions(self, requests: Sequence[eh.Request]) -> Iterator[Addition]:
        """Yield what each request that is scored, or the prompt of one that is generated, adds to the tree of all."""
        return additions(requests, self._text, self._rows)

    def continued(self, requests: Sequence[eh.Generate]) -> Iterator[Addition]:
        """Yield what each prompt and its answer add to the tree of all prompts."""
        context = self.tokens.context or sys.maxsize
        for addition in self.additions(requests):
            room = min(getattr(addition.request, "max_tokens", 0), max(0, context - addition.tokens))
            yield replace(addition, nodes=addition.nodes + room)

    def _text(self, request: Any) -> str:
        try:
            text: str = request.text if isinstance(request, eh.Likelihood) else self.tokens.rendered(request.prompt)
        except Exception:  # of a template that refuses the prompt: it comes up again when the request is answered
            return ""
        return text

    def _rows(self, requests: Sequence[eh.Request]) -> list[list[Scored] | None]:
        every = asked(requests, self.tokens, self.rolling)
        most = self.tokens.context or sys.maxsize
        return [
            None if isinstance(each, Exception) or each.longest + isinstance(request, eh.Generate) > most else each.rows
            for request, each in zip(requests, every, strict=True)
        ]

    def answer(self, chunk: Sequence[eh.Request]) -> list[eh.Response]:
        """Return the response to each request of a chunk; raises Refused, or whatever goes wrong in the network."""
        kind, asked = type(chunk[0]), chunk[0].kind
        if kind not in _ANSWERS:
            raise Refused("not supported", f"model 'hf' does not answer {asked} requests")
        if self.tokens.causal != (kind is not eh.Embed):
            what = "a language model, which does not answer" if self.tokens.causal else "an encoder, which does not answer"
            raise Refused("not supported", f"the weights '{self.weights}' are {what} {asked} requests")
        responses: list[eh.Response] = _ANSWERS[kind](self, chunk)
        return responses

    def asked(self, chunk: Sequence[eh.Request]) -> list[Asked]:
        """Return what runs for each request; raises what is wrong with the first that cannot be put into tokens."""
        every: list[Asked] = []
        for each in asked(chunk, self.tokens, self.rolling):
            if isinstance(each, Exception):
                raise each
            every.append(each)
        return every

    def refuse_beyond_context(self, length: int, what: str) -> None:
        """Raise Refused where so many tokens do not fit; nothing is ever cut silently."""
        context = self.tokens.context
        if context is not None and length > context:
            raise Refused("cut off", f"{what} are {length} tokens, but '{self.weights}' reads {context}; nothing was asked")


def local(weights: str, adapter: str | None, use_template: bool, dtype: str, device: str, budget: int, rolling: Rolling) -> Local:
    """Return the weights of that name at work, as their files are now; the network is loaded when it is needed."""
    found = tokens(weights, use_template)
    return Local(weights, adapter, found, dtype, device, budget, rolling.of(found, weights))


def _size(request: eh.Request, tokens: Tokens) -> Size:
    return Size(1, len(tokens.encode(request.text, special=True)) if isinstance(request, eh.Embed) else 0)


def _generate(local: Local, chunk: Sequence[eh.Generate]) -> list[eh.Response]:
    from evalharness_hf.continuation import Continuation
    from evalharness_hf.generate import continue_all

    rows = [
        Continuation(request, each.rows[0].ids[:-1], local.tokens)
        for request, each in zip(chunk, local.asked(chunk), strict=True)
    ]
    local.refuse_beyond_context(max(len(row.prompt) for row in rows) + 1, "the prompt and one token of the answer")
    continue_all(local.network(), rows, local.budget)
    return [row.response() for row in rows]


def _choose(local: Local, chunk: Sequence[eh.Choose]) -> list[eh.Response]:
    return [
        eh.Response(
            logprobs=tuple(math.fsum(row.logprobs) for row in found),
            tokens=tuple(len(row.logprobs) for row in found),
            merged=asked.merged,
            input_tokens=asked.tokens,
            run_tokens=sum(row.run for row in found),
        )
        for asked, found in _scored(local, chunk)
    ]


def _likelihood(local: Local, chunk: Sequence[eh.Likelihood]) -> list[eh.Response]:
    return [
        eh.Response(
            logprobs=tuple(value for row in found for value in row.logprobs),
            input_tokens=asked.tokens,
            run_tokens=sum(row.run for row in found),
        )
        for asked, found in _scored(local, chunk)
    ]


def _scored(local: Local, chunk: Sequence[eh.Request]) -> Iterator[tuple[Asked, list[Found]]]:
    """Yield what is scored for each request, and what was found, row by row."""
    from evalharness_hf.scoring import scored

    every = local.asked(chunk)
    local.refuse_beyond_context(max(each.longest for each in every), "the prompt and its longest choice")
    found = iter(scored(local.network(), [row for each in every for row in each.rows], local.budget))
    for each in every:
        yield each, [next(found) for _ in each.rows]


def _embed(local: Local, chunk: Sequence[eh.Embed]) -> list[eh.Response]:
    from evalharness_hf.encoder import encoder

    vectors = encoder(local.weights, local.device).embed([request.text for request in chunk])
    counts = [len(local.tokens.encode(request.text, special=True)) for request in chunk]
    return [eh.Response(embedding=tuple(row.tolist()), input_tokens=count) for row, count in zip(vectors, counts, strict=True)]


_ANSWERS: dict[type[eh.Request], Any] = {
    eh.Generate: _generate, eh.Choose: _choose, eh.Likelihood: _likelihood, eh.Embed: _embed,
}  # fmt: skip


def failure_of(error: Exception) -> eh.Failure:
    """Return the failure that stands for an error of a single request."""
    if isinstance(error, Refused):
        return error.failure
    message = f"{type(error).__name__}: {error}"
    if ran_out(error):
        return eh.Failure("out of memory", message)
    if type(error).__name__ == "TemplateError":
        return eh.Failure("not supported", f"the chat template refuses the prompt: {error}")
    return eh.Failure("server", message)
