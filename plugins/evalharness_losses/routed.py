"""What every balance loss does with a router's tensors: rows to samples, padding out, choices counted, sums by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import evalharness as eh
from evalharness_losses.tensors import in_full, is_bool

Scores = Literal["softmax", "sigmoid"]


@dataclass(frozen=True)
class Layout:
    """Which sample each row of a layer belongs to; `kept` is None where no row is padding.

    Without an attention mask all rows are one sample: nothing says where one ends.
    """

    samples: int
    rows: int
    sample: Any = None
    kept: Any = None

    def total(self, values: Any) -> Any:
        """Return (samples, width), the sums of values (rows, width) over the tokens of each sample."""
        if self.sample is None:
            return values.sum(0, keepdim=True)
        if self.kept is None:
            return values.new_zeros(self.samples, values.shape[-1]).index_add(0, self.sample, values)
        import torch

        with torch.autocast(values.device.type, enabled=False):  # which would multiply in half precision
            kept = self.kept.to(values.dtype).view(self.samples, 1, -1)
            return torch.bmm(kept, values.view(self.samples, -1, values.shape[-1]))[:, 0]

    def scattered(self, places: Any, values: Any, width: int) -> Any:
        """Return (samples, width), the sums of values (rows, n) at their places 0 to width - 1 (rows, n)."""
        values = values if self.kept is None else values * self.kept[:, None]
        places = places if self.sample is None else places + self.sample[:, None] * width
        flat = values.new_zeros(self.samples * width).scatter_add(0, places.flatten(), values.flatten())
        return flat.view(self.samples, width)

    def tokens(self, like: Any) -> Any:
        """Return (samples,), how many tokens each sample has."""
        return self.total(like.new_ones(self.rows, 1))[:, 0]


@dataclass(frozen=True)
class Layer:
    """One router: logits (rows, experts) in float32 or better, finite in padding, and the chosen experts (rows, chosen)."""

    logits: Any
    chosen: Any
    layout: Layout

    @property
    def experts(self) -> int:
        """How many experts there are."""
        return int(self.logits.shape[-1])

    def first_choice(self) -> Any:
        """Return (rows, 1), the expert with the largest logit among the chosen ones, in whatever order they stand."""
        if self.chosen.shape[-1] == 1:
            return self.chosen
        return self.chosen.gather(1, self.logits.detach().gather(1, self.chosen).argmax(-1, keepdim=True))

    def count(self, chosen: Any, width: int) -> Any:
        """Return (samples, width), how often each was chosen."""
        return self.layout.scattered(chosen, self.logits.new_ones(1).expand(chosen.shape), width)

    def probabilities(self, scores: Scores) -> Any:
        """Return (rows, experts), rows that sum to 1: the softmax, or the sigmoids over their sum."""
        return self._powers(scores).softmax(-1)

    def log_probabilities(self, scores: Scores) -> Any:
        """Return the logs of the probabilities, none below -1e4, so that 0 times its log is 0."""
        return self._powers(scores).log_softmax(-1).clamp_min(-1e4)

    def _powers(self, scores: Scores) -> Any:
        import torch

        # Sigmoids over their sum are a softmax of their logs, which stays finite where all of them vanish.
        return self.logits if scores == "softmax" else torch.nn.functional.logsigmoid(self.logits)


def layers_of(loss: str, logits: Any, indices: Any, mask: Any, top_k: int | None) -> list[Layer]:
    """Return the routers' layers. Raises DataError naming loss, tensor, shape and sample for what does not fit.

    Choices are `indices` where they are given, since a router with a correction bias chooses others than its logits say.
    """
    if not len(logits):
        raise eh.DataError(f"loss '{loss}': 'router_logits' has no layer; the model has no router")
    if indices is None and top_k is None:
        raise TypeError(f"loss '{loss}' needs the tensor 'router_indices', or its option top_k; it was given: router_logits")
    if indices is not None and len(indices) != len(logits):
        raise eh.DataError(f"loss '{loss}': 'router_indices' has {len(indices)} layers, 'router_logits' {len(logits)}")
    check_layers(loss, "router_logits", logits, "(tokens, experts), float", floating=True)
    check_layers(loss, "router_indices", indices or (), "(tokens, chosen), int64", floating=False)
    found = list(_layers(loss, logits, [None] * len(logits) if indices is None else indices, mask, top_k))
    if len({layer.experts for layer in found}) > 1:
        raise eh.DataError(f"loss '{loss}': 'router_logits' has {', '.join(str(layer.experts) for layer in found)} experts")
    return found


def check_layers(loss: str, name: str, layers: Sequence[Any], expected: str, *, floating: bool) -> None:
    """Raise DataError for a layer that is None, of other numbers, or no table."""
    for number, layer in enumerate(layers):
        if layer is None:
            raise eh.DataError(f"loss '{loss}': '{name}' of layer {number} is None; leave out layers that have no router")
        if layer.ndim < 2 or layer.is_floating_point() is not floating or is_bool(layer):
            kind = str(layer.dtype).removeprefix("torch.")
            raise eh.DataError(f"loss '{loss}': '{name}' of layer {number} is {tuple(layer.shape)}, {kind}, not {expected}")


def _layers(loss: str, logits: Sequence[Any], indices: Sequence[Any], mask: Any, top_k: int | None) -> Iterator[Layer]:
    known: dict[int, Layout] = {}
    for number, (scored, chosen) in enumerate(zip(logits, indices, strict=True)):
        scored = in_full(scored).reshape(-1, scored.shape[-1])
        rows = len(scored)
        layout = known[rows] = known.get(rows) or _layout(loss, rows, mask)
        if layout.kept is not None and _may_be_infinite(scored):
            # A NaN in padding would spoil the gradient even where its weight is 0.
            scored = scored.masked_fill(~layout.kept[:, None], 0.0)
        if chosen is None:
            if int(top_k or 1) > scored.shape[-1]:
                raise eh.DataError(
                    f"loss '{loss}': top_k is {top_k}, 'router_logits' of layer {number} has {scored.shape[-1]} experts"
                )
            chosen = _largest(scored.detach(), int(top_k or 1))
        chosen = chosen.reshape(-1, chosen.shape[-1])
        layer = Layer(scored, chosen, layout)
        _check_chosen(loss, number, layer)
        yield layer


def _largest(logits: Any, k: int) -> Any:
    """Return (rows, k), the places of the k largest logits; for few of them rounds of argmax are twice as fast as topk."""
    import torch

    if k > 4:
        return logits.topk(k, -1, sorted=False).indices
    found = [logits.argmax(-1, keepdim=True)]
    for _ in range(k - 1):
        logits = logits.scatter(1, found[-1], -torch.inf)
        found.append(logits.argmax(-1, keepdim=True))
    return torch.cat(found, 1)


def _may_be_infinite(logits: Any) -> bool:
    import torch

    return torch.compiler.is_compiling() or not bool(logits.detach().sum().isfinite())


def _layout(loss: str, rows: int, mask: Any) -> Layout:
    import torch

    if mask is None:
        return Layout(1, rows)
    if mask.ndim != 2:
        raise eh.DataError(f"loss '{loss}': 'attention_mask' {tuple(mask.shape)} is not (batch, tokens)")
    batch, length = mask.shape
    if rows == batch * length:
        return Layout(batch, rows, torch.arange(batch, device=mask.device).repeat_interleave(length), mask.flatten() != 0)
    sample = mask.nonzero()[:, 0]  # a recorder has removed padding already
    if len(sample) != rows:
        places = f"{batch * length} places and {len(sample)} tokens"
        raise eh.DataError(f"loss '{loss}': 'router_logits' has {rows} rows, 'attention_mask' {tuple(mask.shape)} {places}")
    return Layout(batch, rows, sample)


def _check_chosen(loss: str, number: int, layer: Layer) -> None:
    import torch

    shape, where = tuple(layer.chosen.shape), f"loss '{loss}': 'router_indices' of layer {number}"
    if len(layer.chosen) != layer.layout.rows:
        raise eh.DataError(f"{where} {shape} does not have the {layer.layout.rows} rows of 'router_logits'")
    if torch.compiler.is_compiling() or not layer.chosen.numel():
        return
    low, high = (int(value) for value in layer.chosen.aminmax())
    if low < 0 or high >= layer.experts:
        wrong = (layer.chosen < 0) | (layer.chosen >= layer.experts)
        value, sample = low if low < 0 else high, sample_of(layer.layout, wrong)
        raise eh.DataError(f"{where} {shape} names expert {value} in sample {sample} of the batch; there are {layer.experts}")


def sample_of(layout: Layout, wrong: Any) -> int:
    """Return the first sample of the batch with a row in which something is wrong (rows, ...)."""
    row = int(wrong.flatten(1).any(1).nonzero()[0])
    return 0 if layout.sample is None else int(layout.sample[row])


def stacked(loss: str, layers: Sequence[Layer], statistics: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return statistics (samples, layers, ...) from those of each layer, and `tokens` (samples, layers).

    Raises DataError where one is not finite: what the sums cannot be told of is looked for among the logits.
    """
    import torch

    found = {name: torch.stack(list(values), 1) for name, values in statistics.items()}
    if not torch.compiler.is_compiling() and not all(bool(value.detach().sum().isfinite()) for value in found.values()):
        for number, layer in enumerate(layers):
            wrong = ~layer.logits.detach().logsumexp(-1, keepdim=True).isfinite()
            if bool(wrong.any()):
                where = f"'router_logits' {tuple(layer.logits.shape)} of layer {number}"
                raise eh.DataError(
                    f"loss '{loss}': {where} is not finite in sample {sample_of(layer.layout, wrong)} of the batch"
                )
    return {**found, "tokens": torch.stack([layer.layout.tokens(layer.logits) for layer in layers], 1).detach()}


def ratio(above: Any, below: Any) -> Any:
    """Return above / below, and 0 where below is 0: no tokens, no loss."""
    return above / (below + (below == 0).to(below.dtype))


def product(counts: Any, choices: Any, probabilities: Any, tokens: Any) -> Any:
    """Return n sum f P over the last axis of length n: f = counts / choices, held fixed, P = probabilities / tokens."""
    shares = ratio(counts, choices[..., None]).detach()
    return counts.shape[-1] * (shares * ratio(probabilities, tokens.detach()[..., None])).sum(-1)


class Routed(eh.Loss):
    """A loss over the routers of a model."""

    family = "moe"

    def taken(self) -> int | None:
        """Return how many of the largest logits stand for the choices where no `router_indices` are given."""
        return 1

    def layers(self, router_logits: Any, router_indices: Any, attention_mask: Any) -> list[Layer]:
        """Return the routers' layers, checked."""
        return layers_of(self.name, router_logits, router_indices, attention_mask, self.taken())

    def counts(self, layer: Layer) -> Any:
        """Return (samples, width), the choices of a layer: here of the first choice of each token."""
        return layer.count(layer.first_choice(), layer.experts)


class Chosen(Routed):
    """A loss over all choices.

    - `top_k`: how many of the largest logits stand for the choices where no `router_indices` are given.
    """

    top_k: int | None = None

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {self.top_k}")

    def taken(self) -> int | None:
        return self.top_k

    def counts(self, layer: Layer) -> Any:
        return layer.count(layer.chosen, layer.experts)


class Scored(Routed):
    """A loss over probabilities.

    - `scores`: what the router makes of its logits: "softmax", or "sigmoid" over the sum of all.
    """

    scores: Scores = "softmax"

    def sums(self, router_logits: Any, router_indices: Any, attention_mask: Any) -> dict[str, Any]:
        """Return `counts` and `probabilities` (samples, layers, width) and `tokens` (samples, layers)."""
        layers = self.layers(router_logits, router_indices, attention_mask)
        sums = [layer.layout.total(layer.probabilities(self.scores)) for layer in layers]
        counts = [self.counts(layer) for layer in layers]
        return stacked(self.name, layers, {"counts": counts, "probabilities": sums})
