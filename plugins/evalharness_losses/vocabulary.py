"""Token losses from logits, or from hidden states a few tokens at a time, so that full logits never exist.

A token loss is a function of a few quantities of one token (`Chunk` lists them). Given as such, its gradient with respect to
the logits is known in closed form from its slopes in these quantities, which costs no more than one pass over a chunk of
logits. Two forms of it:

- `values`: one value a token, for whatever is made of them. The backward pass computes each chunk's logits again.
- `weighted_sum`: their sum under weights that are known beforehand. Gradients are computed beside the value, so that logits
  are computed once; the backward pass only multiplies them by one number.

Of hidden states and a head in half precision a logit is rounded to it, as the model's own head would; its sum over the width
is added in float32 (on CUDA unless `torch.backends.cuda.matmul` allows reductions in less), and all that follows is float32.

While torch.compile traces, `values` is the plain computation over all tokens at once and the compiler decides what is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalharness_losses.once import Once
from evalharness_losses.tensors import in_full

CHUNK_BYTES = 96 * 2**20  # of the table of a chunk, tokens x vocabulary
Function = Callable[[Any], Any]  # from the quantities of tokens to one value each
Gradients = tuple[Any, Any]  # with respect to rows and head, None where not wanted


class Chunk:
    """The quantities of some tokens, (tokens,) each, from their `logits` (tokens, vocabulary), float32 or better.

    - `log_p`: log-probability of the label; `mean_log_p`: mean log-probability of all words.
    - `log_norm`: logarithm of the sum of exponentials of the logits; `entropy` of the distribution, in nats.
    - `log_not_negatives`: sum of log(1 - p) over the token's negatives; p counts as at most 1 - eps, eps of the precision.

    `negatives` returns their ids, (tokens, any number), below 0 where there is none. With `overwrite` the probabilities take
    the place of the logits, and the gradient theirs.
    """

    def __init__(self, logits: Any, labels: Any, negatives: Callable[[], Any] | None = None, *, overwrite: bool = False) -> None:
        self.logits, self.labels, self._negatives, self._overwrite = logits, labels, negatives, overwrite

    @Once
    def p(self) -> Any:
        import torch

        if not self._overwrite:
            return torch.softmax(self.logits, -1)
        _ = self._peak, self._of_label, self._mean, self._negatives and self._of_negatives  # while there are logits
        p = self.logits.sub_(self._peak[:, None]).exp_()
        return p.div_(p.sum(-1, keepdim=True))

    @Once
    def _peak(self) -> Any:
        return self.logits.amax(-1)

    @Once
    def _of_label(self) -> Any:
        return self.logits.gather(-1, self.labels[:, None])[:, 0]

    @Once
    def _mean(self) -> Any:
        return self.logits.mean(-1)

    @Once
    def _of_negatives(self) -> Any:
        return self.logits.gather(-1, self.negatives.clamp_min(0))

    @Once
    def _log_peak_p(self) -> Any:
        # The largest probability is at least 1 / vocabulary: its logarithm is as exact as a log-softmax, without its table.
        return self.p.amax(-1).log()

    @Once
    def log_p(self) -> Any:
        return self._of_label - self._peak + self._log_peak_p

    @Once
    def log_norm(self) -> Any:
        return self._peak - self._log_peak_p

    @Once
    def mean_log_p(self) -> Any:
        return self._mean - self._peak + self._log_peak_p

    @Once
    def entropy(self) -> Any:
        import torch

        return torch.special.entr(self.p).sum(-1)

    @Once
    def negatives(self) -> Any:
        assert self._negatives is not None
        return self._negatives()

    @Once
    def _log_p_of_negatives(self) -> Any:
        import torch

        log_p = self._of_negatives - self._peak[:, None] + self._log_peak_p[:, None]
        return log_p.clamp_max(-torch.finfo(log_p.dtype).eps)

    @Once
    def log_not_negatives(self) -> Any:
        import torch

        return torch.where(self.negatives >= 0, log_not(self._log_p_of_negatives), 0.0).sum(-1)

    def gradient(self, slopes: Mapping[str, Any]) -> Any:
        """Return the gradient with respect to the logits of a value with these slopes in the quantities, (tokens,) each.

        The probabilities are overwritten: the chunk is of no use afterwards.
        """
        import torch

        size = self.logits.shape[-1]
        added = torch.special.entr(self.p).mul_(slopes["entropy"][:, None]) if "entropy" in slopes else None
        ratios = self._ratios(slopes["log_not_negatives"]) if "log_not_negatives" in slopes else None
        of_p = torch.zeros_like(self.log_p)
        for name, sign in (("log_norm", 1.0), ("log_p", -1.0), ("mean_log_p", -1.0)):
            of_p = of_p + sign * slopes[name] if name in slopes else of_p
        of_p = of_p if added is None else of_p - slopes["entropy"] * self.entropy
        of_p = of_p if ratios is None else of_p + ratios.sum(-1)
        found = self.p.mul_(of_p[:, None])
        found = found if added is None else found.add_(added)
        if "mean_log_p" in slopes:
            found.add_(slopes["mean_log_p"][:, None] / size)
        if "log_p" in slopes:
            found.scatter_add_(-1, self.labels[:, None], slopes["log_p"][:, None])
        if ratios is not None:
            found.scatter_add_(-1, self.negatives.clamp_min(0), -ratios)
        return found

    def _ratios(self, slope: Any) -> Any:
        """Return p / (1 - p) of each negative, times the slope; 0 where p is held at 1 - eps."""
        import torch

        log_p = self._log_p_of_negatives
        free = (self.negatives >= 0) & (log_p < -torch.finfo(log_p.dtype).eps)
        return torch.where(free, (log_p - log_not(log_p)).exp(), 0.0) * slope[:, None]


def log_not(log_p: Any) -> Any:
    """Return log(1 - p) from log p, at most -eps, without cancellation."""
    import torch

    return torch.where(log_p > -0.693, (-torch.expm1(log_p)).log(), torch.log1p(-log_p.exp()))


class _Leaves:
    """The quantities of a chunk as points at which slopes are taken; `taken` are those that a function has read."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self.taken: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self.taken:
            self.taken[name] = getattr(self._chunk, name).detach().requires_grad_()
        return self.taken[name]


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokens that count: rows (all, width) and `head` (vocabulary, width), or `head` None and rows of logits.

    `places` (tokens,) says which rows they are, `labels` (tokens,) what they predict; `negatives` gives the ids of a slice of
    them, at most `widest` each.
    """

    rows: Any
    head: Any
    places: Any
    labels: Any
    negatives: Callable[[slice], Any] | None = None
    widest: int = 0

    @property
    def vocabulary(self) -> int:
        """How many words there are."""
        return int((self.rows if self.head is None else self.head).shape[-1 if self.head is None else 0])

    @property
    def rest(self) -> tuple[Any, ...]:
        """All that is neither rows nor head."""
        return self.places, self.labels, self.negatives, self.widest

    def parts(self) -> list[slice]:
        """Return the chunks: a function of the number of tokens and the vocabulary alone."""
        size = max(1, CHUNK_BYTES // (in_full(self.rows[:0]).element_size() * max(self.vocabulary, 2 * self.widest, 1)))
        return [slice(start, start + size) for start in range(0, len(self.places), size)]

    def chunk(self, part: slice, room: Any = None, *, overwrite: bool = False) -> tuple[Any, Chunk]:
        """Return the rows of some tokens and their quantities; `room` is memory for their logits."""
        import torch

        rows = self.rows.index_select(0, self.places[part])
        space = None if room is None else room[: len(rows)]
        logits = rows if self.head is None else torch.mm(rows, self.head.T, out=space)
        negatives = functools.partial(self.negatives, part) if self.negatives else None
        return rows, Chunk(in_full(logits), self.labels[part], negatives, overwrite=overwrite)

    def room(self) -> Any:
        """Return memory for the logits of one chunk, so that not each asks for its own; None where they are given."""
        sizes = [min(part.stop, len(self.places)) - part.start for part in self.parts()]
        return None if self.head is None else self.rows.new_empty((max(sizes, default=0), self.vocabulary))


def values(tokens: Tokens, function: Function) -> Any:
    """Return one value a token, (tokens,), float32 or better; the backward pass computes the logits again."""
    import torch

    if torch.compiler.is_compiling():
        return function(tokens.chunk(slice(None))[1])
    return _autograd()[0].apply(tokens.rows, tokens.head, tokens, function)


def weighted_sum(tokens: Tokens, function: Function, weights: Any) -> tuple[Any, Any]:
    """Return the sum of weight times value, and the values without gradient; weights (tokens,) are constants."""
    import torch

    if torch.compiler.is_compiling():
        found = values(tokens, function)
        return (found * weights).sum(), found.detach()
    wanted = torch.is_grad_enabled()
    return _autograd()[1].apply(tokens.rows, tokens.head, tokens, function, weights, wanted)


@functools.cache
def _autograd() -> tuple[Any, Any]:
    """Return the two forms as functions of autograd."""
    import torch
    from torch.autograd.function import once_differentiable

    class Values(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
        @staticmethod
        def forward(ctx: Any, rows: Any, head: Any, tokens: Tokens, function: Function) -> Any:
            ctx.save_for_backward(rows, head)
            ctx.rest, ctx.function = tokens.rest, function
            return _run(tokens, function)[0]

        @staticmethod
        @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
        def backward(ctx: Any, slopes: Any) -> Any:
            tokens = Tokens(*ctx.saved_tensors, *ctx.rest)
            return *_run(tokens, ctx.function, slopes, ctx.needs_input_grad[:2])[1], None, None

    class WeightedSum(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
        @staticmethod
        def forward(ctx: Any, rows: Any, head: Any, tokens: Tokens, function: Function, weights: Any, wanted: bool) -> Any:
            wants = ctx.needs_input_grad[:2] if wanted else (False, False)
            found, ctx.gradients = _run(tokens, function, weights, wants)
            ctx.save_for_backward(rows, head, weights)
            ctx.rest, ctx.function = tokens.rest, function
            ctx.mark_non_differentiable(found)
            return (found * weights).sum(), found

        @staticmethod
        @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
        def backward(ctx: Any, slope: Any, _: Any) -> Any:
            # The gradients are given away, so that nobody needs a copy; a second time they are computed again.
            *given, weights = ctx.saved_tensors
            found, ctx.gradients = ctx.gradients, None
            if found is None:
                found = _run(Tokens(*given, *ctx.rest), ctx.function, weights, ctx.needs_input_grad[:2])[1]
            return *(None if item is None else item.mul_(slope) for item in found), None, None, None, None

    return Values, WeightedSum


def _run(
    tokens: Tokens, function: Function, weights: Any = None, wants: tuple[bool, ...] = (False, False)
) -> tuple[Any, Gradients]:
    """Return the value of each token, and the gradients of their weighted sum with respect to rows and head."""
    import torch

    rows, head = tokens.rows, tokens.head
    of_rows = torch.zeros_like(rows) if wants[0] else None
    of_head = in_full(head[:0]).new_zeros(head.shape) if wants[1] else None
    found = [in_full(rows[:0]).new_zeros(0)]
    with torch.autocast(rows.device.type, enabled=False), torch.no_grad():
        room = tokens.room()
        for part in tokens.parts():
            inputs, chunk = tokens.chunk(part, room, overwrite=True)
            if of_rows is None and of_head is None:
                found.append(function(chunk))
                continue
            value, slopes = _slopes(function, chunk, weights[part])
            found.append(value)
            gradient = chunk.gradient(slopes)
            if of_rows is not None:
                step = gradient.to(rows.dtype)
                of_rows.index_copy_(0, tokens.places[part], step if head is None else step @ head)
            if of_head is not None:
                of_head.addmm_(gradient.T, in_full(inputs))
    return torch.cat(found), (of_rows, None if of_head is None else of_head.to(head.dtype))


def _slopes(function: Function, chunk: Chunk, weights: Any) -> tuple[Any, dict[str, Any]]:
    """Return the value of each token and its weighted slope in each quantity that it depends on."""
    import torch

    with torch.enable_grad():
        leaves = _Leaves(chunk)
        value = function(leaves)
        found = torch.autograd.grad(value, list(leaves.taken.values()), weights.to(value.dtype), allow_unused=True)
    named = zip(leaves.taken, found, strict=True)
    return value.detach(), {name: slope for name, slope in named if slope is not None}
