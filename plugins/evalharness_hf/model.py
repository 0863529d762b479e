"""The model `hf`: local transformers weights, in which what requests begin with alike runs once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import evalharness as eh
from evalharness_hf.adapters import adapter_digest
from evalharness_hf.answers import Local, failure_of, local
from evalharness_hf.conventions import chat_template, first_token, special_tokens, windows
from evalharness_hf.forecasting import forecast
from evalharness_hf.memory import Memory, free, memory_of
from evalharness_hf.rolling import Rolling
from evalharness_hf.tokens import Prompt, template_of


class HuggingFace(eh.Model):
    """A language model or sentence encoder of the transformers library, run on this machine.

    - `weights`: a pinned name (`evalharness weights list`), a local folder, or OWNER/NAME@REVISION on a hub.
    - `adapter`: a folder of adapters that the peft library or a training task wrote for these weights; it is merged in.
    - `template`: `auto` applies the chat template that comes with the weights, `none` refuses it: prompts are plain text.
    - `dtype`: the numbers that the network computes in; log-likelihoods are float32 at the end in any case.
    - `device`: `auto` is the GPU if there is one, else the CPU; or a device of torch, such as `cuda:1`; `balanced`,
      `balanced_low_0` and `sequential` put the layers of a language model on several GPUs, as transformers' `device_map` does.
    - `token_budget`: how many tokens, padding and answers included, a chunk holds, and go through the model at once at most;
      what requests begin with alike counts once. It may change answers at near-ties; it is no part of the identity.
    - `context`: how many tokens a window holds at most in which a text's `Likelihood` is read; None: what the model reads.
    - `stride`: how many tokens each window after the first scores, at most `context`; None: all that it holds, but for the
      last one, which reaches back as far as it can. A smaller stride gives tokens more context and takes more time.

    Language models answer `Generate`, `Choose` and `Likelihood`, encoders answer `Embed`. Nothing is cut silently: a
    prompt that is longer than the model's context is a failure of the kind `cut off`. Where memory runs out, the
    token budget is halved for the rest of the process; a chunk that fails otherwise is run again in halves, until single
    requests are what fails.

    A text's first token is conditioned on the token that begins a text (or, without one, that ends it).
    """

    name = "hf"
    supports = (eh.Generate, eh.Choose, eh.Likelihood, eh.Embed)
    local = True
    needs = "hf"
    weights: str = "smollm2-135m-instruct"
    adapter: eh.File | None = None
    template: Literal["auto", "none"] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    token_budget: int = 8192
    context: int | None = eh.neutral(None)
    stride: int | None = eh.neutral(None)

    def __post_init__(self) -> None:
        if self.token_budget < 1:
            raise ValueError(f"option 'token_budget' must be at least 1, not {self.token_budget}")
        self._rolling()

    @property
    def chat(self) -> bool:
        return self.template == "auto" and template_of(eh.resolve_weights(self.weights)) is not None

    def identity(self) -> str:
        own = [self.name, 1, eh.weights_digest(self.weights), self.template, self.dtype]
        own += [] if self.adapter is None else [adapter_digest(self.adapter)]
        own += [] if self._rolling() == Rolling() else [{"context": self.context, "stride": self.stride}]
        return eh.digest(own)

    def rendered(self, prompt: Prompt) -> str:
        return self._local().tokens.rendered(prompt)

    def plan(self, requests: Sequence[eh.Request]) -> Iterator[Sequence[eh.Request]]:
        return self._local().chunks(requests)

    def forecast(self, requests: Sequence[eh.Request]) -> eh.Forecast:
        return forecast(self._local(), requests)

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        return _within(self._local(), requests, self._memory())

    def conventions(self) -> dict[str, str]:
        local = self._local()
        if not local.tokens.causal:
            return {"special tokens": special_tokens(local.tokens), "dtype": "float32"}
        folder = eh.resolve_weights(self.weights)
        return {
            "first token": first_token(local.tokens),
            "special tokens": special_tokens(local.tokens),
            "chat template": chat_template(local.tokens, folder, wanted=self.template == "auto"),
            "windows": windows(local.rolling),
            "dtype": f"{self.dtype}; log-likelihoods from a float32 softmax",
        }

    def remarks(self) -> list[str]:
        memory = self._memory()
        return [*memory.remarks(), *memory.notes]

    def _memory(self) -> Memory:
        return memory_of(self, self.token_budget)

    def _local(self) -> Local:
        template = self.template == "auto"
        return local(self.weights, self.adapter, template, self.dtype, self.device, self.token_budget, self._rolling())

    def _rolling(self) -> Rolling:
        return Rolling(self.context, self.stride)


def _within(local: Local, requests: Sequence[eh.Request], memory: Memory) -> Iterator[tuple[eh.Request, eh.Response]]:
    """Answer requests in chunks of a token budget, or of what is left of it by then."""
    for chunk in local.chunks(requests):
        if memory.budget < local.budget:
            yield from _within(replace(local, budget=memory.budget), chunk, memory)
        else:
            yield from _answered(local, chunk, memory)


def _answered(local: Local, chunk: Sequence[eh.Request], memory: Memory) -> Iterator[tuple[eh.Request, eh.Response]]:
    """Answer one chunk; where that fails, answer parts of it, until single requests are what fails.

    Where memory runs out, parts are cut by half the budget; at the smallest one, and for any other failure, in the middle.
    """
    try:
        responses = local.answer(chunk)
    except eh.EvalharnessError:
        raise
    except Exception as error:  # whatever fails is a failure of its requests, never of the run
        failure = failure_of(error)
    else:
        memory.did(local.budget)
        memory.notes |= dict.fromkeys(local.remarks())
        yield from zip(chunk, responses, strict=True)
        return
    if failure.kind == "out of memory":
        local.forget()
        free()
        if local.budget > memory.smallest:
            yield from _halved(local, chunk, memory)
            return
    if len(chunk) == 1:
        yield chunk[0], eh.Response(error=failure)
        return
    middle = len(chunk) // 2
    yield from _answered(local, chunk[:middle], memory)
    yield from _answered(local, chunk[middle:], memory)


def _halved(local: Local, chunk: Sequence[eh.Request], memory: Memory) -> Iterator[tuple[eh.Request, eh.Response]]:
    """Answer a chunk that memory ran out for under half the budget; a request that fits under none does not lower the others'."""
    before, never = memory.budget, False
    for request, response in _within(replace(local, budget=memory.below(local.budget)), chunk, memory):
        never |= response.error is not None and response.error.kind == "out of memory"
        yield request, response
    if never:
        memory.budget = before
