"""The model `hf`: local transformers weights, asked in padded batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import evalharness as eh
from evalharness_hf.planning import Size, chunks
from evalharness_hf.tokens import Tokens, tokens


class Refused(Exception):
    """A request that this model cannot answer, with the failure that says why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.failure = eh.Failure(kind, message)


class HuggingFace(eh.Model):
    """A language model or sentence encoder of the transformers library, run on this machine.

    - `weights`: a pinned name (`evalharness weights list`), a local folder, or OWNER/NAME@REVISION on a hub.
    - `template`: `auto` applies the chat template that comes with the weights, `none` refuses it: prompts are plain text.
    - `dtype`: the numbers that the network computes in; log-likelihoods are float32 at the end in any case.
    - `device`: `auto` is the GPU if there is one, else the CPU; or a device of torch, such as `cuda:1`.
    - `token_budget`: how many tokens, padding and answers included, go through the model at once. It decides the chunks,
      so it may change answers at near-ties; it is no part of the identity.

    Language models answer `Generate`, `Choose` and `Likelihood`, encoders answer `Embed`. Nothing is cut silently: a
    prompt that is longer than the model's context is a failure of the kind `cut off`. A chunk that fails, for want of
    memory for example, is run again in halves, until single requests are what fails.

    A text's first token is conditioned on the token that begins a text (or, without one, that ends it).
    """

    name = "hf"
    supports = (eh.Generate, eh.Choose, eh.Likelihood, eh.Embed)
    local = True
    needs = "hf"
    weights: str = "smollm2-135m-instruct"
    template: Literal["auto", "none"] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    token_budget: int = 8192

    def __post_init__(self) -> None:
        if self.token_budget < 1:
            raise ValueError(f"option 'token_budget' must be at least 1, not {self.token_budget}")

    @property
    def chat(self) -> bool:
        from evalharness_hf.tokens import template_of

        return self.template == "auto" and template_of(eh.resolve_weights(self.weights)) is not None

    def identity(self) -> str:
        return eh.digest([self.name, 1, eh.weights_digest(self.weights), self.template, self.dtype])

    def rendered(self, prompt: str | tuple[eh.Message, ...]) -> str:
        return self._tokens().rendered(prompt)

    def plan(self, requests: Sequence[eh.Request]) -> Iterator[Sequence[eh.Request]]:
        return chunks(requests, self._size, self.token_budget)

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for chunk in self.plan(requests):
            yield from self._answer_chunk(chunk)

    def _answer_chunk(self, chunk: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        try:
            responses = self._responses(chunk)
        except eh.EvalharnessError:
            raise
        except Exception as error:  # whatever fails is a failure of its requests, never of the run
            failure = _failure(error)
        else:
            yield from zip(chunk, responses, strict=True)
            return
        if len(chunk) == 1:
            yield chunk[0], eh.Response(error=failure)
            return
        middle = len(chunk) // 2
        yield from self._answer_chunk(chunk[:middle])
        yield from self._answer_chunk(chunk[middle:])

    def _responses(self, chunk: Sequence[eh.Request]) -> list[eh.Response]:
        answers: dict[type[eh.Request], Any] = {
            eh.Generate: self._generate, eh.Choose: self._choose, eh.Likelihood: self._likelihood, eh.Embed: self._embed,
        }  # fmt: skip
        kind = type(chunk[0])
        if kind not in answers:
            raise Refused("not supported", f"model 'hf' does not answer {chunk[0].kind} requests")
        if self._tokens().causal != (kind is not eh.Embed):
            what = "a language model, which does not answer" if self._tokens().causal else "an encoder, which answers no"
            raise Refused("not supported", f"the weights '{self.weights}' are {what} {chunk[0].kind} requests")
        responses: list[eh.Response] = answers[kind](chunk)
        return responses

    def _generate(self, chunk: Sequence[eh.Generate]) -> list[eh.Response]:
        from evalharness_hf.generate import Continuation, continue_all

        rows = [Continuation(request, self._prompt(request), self._tokens()) for request in chunk]
        continue_all(self._network(), rows)
        return [row.response() for row in rows]

    def _prompt(self, request: eh.Generate) -> list[int]:
        prompt = self._tokens().of_prompt(request.prompt)
        self._refuse_beyond_context(len(prompt) + 1, "the prompt and one token of the answer")
        return prompt

    def _choose(self, chunk: Sequence[eh.Choose]) -> list[eh.Response]:
        from evalharness_hf.likelihood import choices_of, token_logprobs

        chosen = [choices_of(request, self._tokens()) for request in chunk]
        rows = [row for choices in chosen for row in choices.rows]
        self._refuse_beyond_context(max((len(row.ids) - 1 for row in rows), default=0), "the prompt with its longest choice")
        found = iter(token_logprobs(self._network(), rows, self.token_budget))
        return [
            eh.Response(
                logprobs=tuple(math.fsum(next(found)) for _ in choices.rows),
                tokens=tuple(len(row.places) for row in choices.rows),
                merged=choices.merged,
                input_tokens=sum(len(row.ids) for row in choices.rows),
            )
            for choices in chosen
        ]

    def _likelihood(self, chunk: Sequence[eh.Likelihood]) -> list[eh.Response]:
        from evalharness_hf.likelihood import token_logprobs, windows

        texts = [windows(self._tokens().encode(request.text), self._tokens()) for request in chunk]
        found = iter(token_logprobs(self._network(), [row for rows in texts for row in rows], self.token_budget))
        scored = [tuple(value for _ in rows for value in next(found)) for rows in texts]
        return [eh.Response(logprobs=logprobs, input_tokens=len(logprobs)) for logprobs in scored]

    def _embed(self, chunk: Sequence[eh.Embed]) -> list[eh.Response]:
        from evalharness_hf.encoder import encoder

        vectors = encoder(self.weights, self.device).embed([request.text for request in chunk])
        counts = [len(self._tokens().encode(request.text, special=True)) for request in chunk]
        return [eh.Response(embedding=tuple(row.tolist()), input_tokens=n) for row, n in zip(vectors, counts, strict=True)]

    def _refuse_beyond_context(self, length: int, what: str) -> None:
        context = self._tokens().context
        if context is not None and length > context:
            raise Refused("cut off", f"{what} are {length} tokens, but '{self.weights}' reads {context}; nothing was asked")

    def _tokens(self) -> Tokens:
        return tokens(self.weights, self.template == "auto")

    def _network(self) -> Any:
        from evalharness_hf.network import language_model

        return language_model(self.weights, self.dtype, self.device)

    def _size(self, request: eh.Request) -> Size:
        """Return what a request takes; one that cannot be put into tokens gets a chunk of its own, where it fails."""
        try:
            return _size(request, self._tokens())
        except eh.EvalharnessError:
            raise
        except Exception:  # the same error comes up again when the request is answered, and becomes its failure
            return Size(1, self.token_budget + 1)


def _size(request: eh.Request, tokens: Tokens) -> Size:
    match request:
        case eh.Generate():
            return Size(1, len(tokens.of_prompt(request.prompt)) + request.max_tokens)
        case eh.Choose():
            from evalharness_hf.likelihood import choices_of

            rows = choices_of(request, tokens).rows
            return Size(len(rows), max((len(row.ids) for row in rows), default=0))
        case eh.Likelihood():
            length, context = len(tokens.encode(request.text)) + 1, tokens.context or math.inf
            return Size(math.ceil(length / context), int(min(length, context)))
        case eh.Embed():
            return Size(1, len(tokens.encode(request.text, special=True)))
    return Size(1, 0)


def _failure(error: Exception) -> eh.Failure:
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, Refused):
        return error.failure
    if isinstance(error, MemoryError) or "out of memory" in message.lower() or "can't allocate memory" in message:
        return eh.Failure("out of memory", message)
    if type(error).__name__ == "TemplateError":
        return eh.Failure("not supported", f"the chat template refuses the prompt: {error}")
    return eh.Failure("server", message)
