"""Answers one chunk of requests of one kind with the weights of a model."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import evalharness as eh
from evalharness_hf.planning import Size
from evalharness_hf.tokens import Tokens, tokens


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

    def network(self) -> Any:
        """Return the language model, loaded once a process."""
        from evalharness_hf.network import language_model

        return language_model(self.weights, self.adapter, self.dtype, self.device)

    def size(self, request: eh.Request) -> Size:
        """Return what a request takes; one that cannot be put into tokens gets a chunk of its own, where it fails."""
        try:
            return _size(request, self.tokens)
        except Exception:  # the same error comes up again when the request is answered, and becomes its failure
            return Size(1, self.budget + 1)

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

    def refuse_beyond_context(self, length: int, what: str) -> None:
        """Raise Refused where so many tokens do not fit; nothing is ever cut silently."""
        context = self.tokens.context
        if context is not None and length > context:
            raise Refused("cut off", f"{what} are {length} tokens, but '{self.weights}' reads {context}; nothing was asked")


def local(weights: str, adapter: str | None, use_template: bool, dtype: str, device: str, budget: int) -> Local:
    """Return the weights of that name at work, as their files are now; the network is loaded when it is needed."""
    return Local(weights, adapter, tokens(weights, use_template), dtype, device, budget)


def _size(request: eh.Request, tokens: Tokens) -> Size:
    match request:
        case eh.Generate():
            return Size(1, min(len(tokens.of_prompt(request.prompt)) + request.max_tokens, tokens.context or sys.maxsize))
        case eh.Choose():
            from evalharness_hf.likelihood import choices_of

            rows = choices_of(request, tokens).rows
            return Size(len(rows), max((len(row.ids) for row in rows), default=0))
        case eh.Likelihood():
            length, context = len(tokens.encode(request.text)) + 1, tokens.context or sys.maxsize
            return Size(math.ceil(length / context), min(length, context))
        case eh.Embed():
            return Size(1, len(tokens.encode(request.text, special=True)))
    return Size(1, 0)


def _generate(local: Local, chunk: Sequence[eh.Generate]) -> list[eh.Response]:
    from evalharness_hf.generate import Continuation, continue_all

    rows = [Continuation(request, local.tokens.of_prompt(request.prompt), local.tokens) for request in chunk]
    local.refuse_beyond_context(max(len(row.prompt) for row in rows) + 1, "the prompt and one token of the answer")
    continue_all(local.network(), rows)
    return [row.response() for row in rows]


def _choose(local: Local, chunk: Sequence[eh.Choose]) -> list[eh.Response]:
    from evalharness_hf.likelihood import choices_of
    from evalharness_hf.plain import token_logprobs

    chosen = [choices_of(request, local.tokens) for request in chunk]
    rows = [row for choices in chosen for row in choices.rows]
    local.refuse_beyond_context(max((len(row.ids) - 1 for row in rows), default=0), "the prompt and its longest choice")
    found = iter(token_logprobs(local.network(), rows, local.budget))
    return [
        eh.Response(
            logprobs=tuple(math.fsum(next(found)) for _ in choices.rows),
            tokens=tuple(len(row.places) for row in choices.rows),
            merged=choices.merged,
            input_tokens=sum(len(row.ids) for row in choices.rows),
        )
        for choices in chosen
    ]


def _likelihood(local: Local, chunk: Sequence[eh.Likelihood]) -> list[eh.Response]:
    from evalharness_hf.plain import token_logprobs
    from evalharness_hf.rolling import windows

    texts = [windows(local.tokens.encode(request.text), local.tokens) for request in chunk]
    found = iter(token_logprobs(local.network(), [row for rows in texts for row in rows], local.budget))
    scored = [tuple(value for _ in rows for value in next(found)) for rows in texts]
    return [eh.Response(logprobs=logprobs, input_tokens=len(logprobs)) for logprobs in scored]


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
    if isinstance(error, MemoryError) or "out of memory" in message.lower() or "can't allocate memory" in message:
        return eh.Failure("out of memory", message)
    if type(error).__name__ == "TemplateError":
        return eh.Failure("not supported", f"the chat template refuses the prompt: {error}")
    return eh.Failure("server", message)
