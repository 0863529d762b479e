"""Mixture-of-experts: balance losses over the routers of a model. Weights are left to `combine`; papers' ones are stated.

All of them read `router_logits`, layers of (tokens, experts); `router_indices`, layers of (tokens, chosen), the experts
that were chosen (without them the option `top_k` of the logits, or the largest one, which are the choice only where no
bias corrects it); and `attention_mask` (batch, tokens), whose zeros are
padding: with it a sample is a row of the batch, without it all tokens are one sample. Rows of padding may be there or be
removed. The value is the mean over layers, where a paper adds them: the sum is the value times their number. Computed in
float32 or better; logits of +-1e4 are no trouble. Raises DataError for logits that are not finite, for an expert that is
not there, and for rows that do not fit the mask; TypeError without a router.

Statistics are sums over a sample's tokens, so micro-batches add up exactly: f and P are those of the whole window.
Choices have no gradient; with f fixed, a micro-batch's share is E sum_e f_e(window) P_e(its own tokens), which is the
global-batch balance loss (Qiu et al., 2025). A loop that averages the losses of micro-batches computes another function.
"""

from __future__ import annotations

from typing import Any, Literal

import evalharness as eh
from evalharness_losses.routed import Chosen, Layer, Scored, Scores, product, ratio

_BOUNDED = ("robust", "bounded gradient")
_SMOOTH = ("differentiable", *_BOUNDED)  # given the choices; which choice is the first one still depends on the logits
_PULL = "p_e (w_e - sum_j p_j w_j) a token, over tokens and layers; p its probabilities, f held fixed"


class Window(Scored):
    """A loss over all tokens at once, of a batch or of a whole window of micro-batches."""

    def measure(self, router_logits: Any, router_indices: Any = None, attention_mask: Any = None) -> dict[str, Any]:
        return self.sums(router_logits, router_indices, attention_mask)

    def score(self, counts: Any, probabilities: Any, tokens: Any) -> Any:
        return product(counts, tokens, probabilities, tokens).mean(-1)


class PerSequence(Scored):
    """A loss of each sequence by itself, which its mask tells apart; the mean over sequences."""

    def measure(self, router_logits: Any, attention_mask: Any, router_indices: Any = None) -> dict[str, Any]:
        found = self.sums(router_logits, router_indices, attention_mask)
        values = self.of_sample(**found).mean(-1)
        weight = (found["tokens"] > 0).all(-1).to(values.dtype)
        return {"loss": values * weight, "weight": weight}

    def count(self, attention_mask: Any = None, **_: Any) -> dict[str, Any] | None:
        return None if attention_mask is None else {"weight": (attention_mask != 0).any(1).float()}

    def score(self, loss: Any, weight: Any) -> Any:
        return ratio(loss, weight)

    def of_sample(self, counts: Any, probabilities: Any, tokens: Any) -> Any:
        """Return the value of each sample and layer, (samples, layers)."""
        return product(counts, counts.sum(-1), probabilities, tokens)


class Switch(Window):
    """Switch load-balancing loss, 0 to E: 1 where first choices or probabilities are uniform over E experts.

    f counts a token's first choice: the chosen expert with the largest logit, so that a top-k router has one too. Without
    `router_indices` it is the largest of all logits, which a correction bias would make another one. The paper's weight is
    0.01. Capacity plays no part: a token that is dropped later has still chosen.

    Tensors, as of all `moe_` losses: `router_logits`, layers of (tokens, experts); `router_indices`, layers of (tokens,
    chosen), int64, what the router chose; `attention_mask` (batch, tokens), 0 in padding, whose rows may be among the
    router's or removed. Reduction: mean over layers (a sum over layers is that times their number). Computed in float32 or
    better. Raises DataError where logits are not finite, an expert does not exist, or rows do not fit the mask.

    >>> import torch
    >>> round(float(Switch()(router_logits=(torch.tensor([[2.0, 0.0], [0.0, 2.0]]),))), 4)
    1.0
    >>> round(float(Switch()(router_logits=(torch.tensor([[2.0, 0.0], [2.0, 0.0]]),))), 4)
    1.7616
    """

    name, unit, range, tags = "moe_switch", "", (0, None), _BOUNDED
    formula = "E sum_e f_e P_e, f_e the share of tokens whose first choice is e, P_e the mean probability; mean over layers"
    gradient = f"{_PULL}; w_e = E f_e"
    cite = "Fedus et al., Switch Transformers, 2021, equations 4 to 6"
    reference = "transformers.models.switch_transformers.modeling_switch_transformers.load_balancing_loss_func"


class TopK(Chosen, Window):
    """Balance loss of all k choices, 0 to E: 1 where they are uniform ("megatron"), or k ("transformers").

    - `convention`: f sums to 1 ("megatron"), or to k ("transformers": k times that, one layer at a time, where
      `moe_top_k_pooled` pools them).

    Over a window this is the global-batch balance loss: f over all its micro-batches and processes, P over each. Without
    `router_indices` the option `top_k` says how many of the largest logits stand for them; TypeError without either.
    Otherwise tensors and errors are those of `moe_switch`. Reduction: mean over layers. Computed in float32 or better.

    >>> import torch
    >>> logits, chosen = (torch.zeros(3, 4),), (torch.tensor([[0, 1], [0, 2], [0, 3]]),)
    >>> float(TopK()(router_logits=logits, router_indices=chosen))
    1.0
    >>> float(TopK(convention="transformers")(router_logits=logits, router_indices=chosen))
    2.0
    """

    name, unit, range, tags = "moe_top_k", "", (0, None), _SMOOTH
    formula = "E sum_e f_e P_e, f_e the share of choices that fell on e (times k: transformers); mean over layers"
    gradient = f"{_PULL}; w_e = E f_e"
    cite = "Fedus et al., 2021; over a window: Qiu et al., Demons in the Detail, 2025 (arXiv 2501.11873)"
    reference = "megatron.core.transformer.moe.moe_utils.switch_load_balancing_loss_func"
    convention: Literal["megatron", "transformers"] = "megatron"

    def score(self, counts: Any, probabilities: Any, tokens: Any) -> Any:
        choices = counts.sum(-1) if self.convention == "megatron" else tokens
        return product(counts, choices, probabilities, tokens).mean(-1)


class TopKPooled(Chosen, Window):
    """Balance loss of all k choices, 0 to E, with the layers pooled before the product, k where uniform: that of transformers.

    An expert that is busy in one layer and idle in another counts as balanced, since f and P are means over layers.
    Tensors and errors are those of `moe_top_k`. Reduction: over tokens of all layers. Computed in float32 or better.

    >>> import torch
    >>> busy, idle = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0]])
    >>> [round(float(kind(top_k=1)(router_logits=(busy, idle))), 3) for kind in (TopKPooled, TopK)]
    [1.0, 2.0]
    """

    name, unit, range, tags = "moe_top_k_pooled", "", (0, None), _SMOOTH
    formula = "E sum_e f_e P_e, f_e the choices of e and P_e its probability, a token, over the tokens of all layers"
    gradient = f"{_PULL}; w_e = E f_e / layers"
    cite = "Fedus et al., 2021, as transformers computes it for Mixtral and its relatives"
    reference = "transformers.models.mixtral.modeling_mixtral.load_balancing_loss_func"

    def score(self, counts: Any, probabilities: Any, tokens: Any) -> Any:
        tokens = tokens.sum(-1)
        return product(counts.sum(-2), tokens, probabilities.sum(-2), tokens)


class GShard(PerSequence):
    """GShard auxiliary loss of each group, a sequence, 0 to E ("unit") or 0 to 1 / E ("paper"); the mean over groups.

    - `convention`: "unit" is 1 where uniform, as public implementations have it; "paper" divides by E^2.

    First choices before capacity, as in the paper's algorithm 1; without `router_indices` they are the largest of all
    logits. A sequence is a row of `attention_mask`, which must be given; one that is all padding has no weight. Otherwise
    tensors and errors are those of `moe_switch`. Reduction: mean over sequences and layers. Computed in float32 or better.

    >>> import torch
    >>> logits, mask = (torch.zeros(2, 4),), torch.ones(1, 2)
    >>> [float(GShard(convention=kind)(router_logits=logits, attention_mask=mask)) for kind in ("unit", "paper")]
    [1.0, 0.0625]
    """

    name, unit, range, tags = "moe_gshard", "", (0, None), _BOUNDED
    formula = "1/E sum_e (c_e / S) m_e of each group of S tokens (times E^2: unit), c_e first choices, m_e mean gate; mean"
    gradient = f"{_PULL}; w_e = E c_e / S of its group"
    cite = "Lepikhin et al., GShard, 2020, algorithm 1"
    reference = "tutel.impls.losses.gshard_loss"
    convention: Literal["unit", "paper"] = "unit"

    def of_sample(self, counts: Any, probabilities: Any, tokens: Any) -> Any:
        value = product(counts, tokens, probabilities, tokens)
        return value if self.convention == "unit" else value / counts.shape[-1] ** 2


class Sequence(Chosen, PerSequence):
    """Sequence-wise balance loss, 0 to E: 1 where each sequence by itself is balanced; the mean over sequences.

    DeepSeek-V3's with the scores "sigmoid", normalised to sum 1 over experts (its weight: 1e-4); with "softmax"
    DeepSeek-V2's expert-level loss (0.003), whose T is also the length of one sequence. A sequence is a row of
    `attention_mask`, which must be given; one that is all padding has no weight. Otherwise as
    `moe_top_k`. Reduction: mean over sequences and layers. Computed in float32 or better.

    >>> import torch
    >>> logits = (torch.tensor([[9.0, -9.0], [9.0, -9.0], [-9.0, 9.0], [-9.0, 9.0]]),)
    >>> round(float(Sequence(top_k=1)(router_logits=logits, attention_mask=torch.ones(2, 2))), 3)
    2.0
    >>> round(float(Sequence(top_k=1)(router_logits=logits, attention_mask=torch.ones(1, 4))), 3)
    1.0
    """

    name, unit, range, tags = "moe_sequence", "", (0, None), _SMOOTH
    formula = "sum_e f_e P_e of each sequence, f_e = E / (k T) times its choices of e; mean over sequences and layers"
    gradient = f"{_PULL}; w_e = f_e of its sequence"
    cite = "DeepSeek-AI, DeepSeek-V3, 2024, equations 17 to 20; DeepSeek-V2, 2024, equations 23 to 25"
    reference = "megatron.core.transformer.moe.router, seq_aux_loss"
    scores: Scores = "sigmoid"


class Grouped(Chosen, PerSequence):
    """Balance of the devices that hold the experts in equal groups, 0 to D: 1 where uniform; DeepSeek-V2's two losses.

    - `groups`: D, of E / D experts each, in their order.
    - `limit`: None counts every choice, the device-level loss (paper's weight 0.05). M counts a token once for each
      group that it is sent to, D / (M T) of them: the communication loss (0.02), for routers that send it to at most M.

    Sequences, tensors and errors are those of `moe_sequence`; DataError where E is no multiple of D.
    Reduction: mean over sequences and layers. Computed in float32 or better.

    >>> import torch
    >>> tensors = {"router_logits": (torch.zeros(1, 4),), "router_indices": (torch.tensor([[0, 1]]),)}
    >>> [float(Grouped(groups=2, limit=limit)(**tensors, attention_mask=torch.ones(1, 1))) for limit in (None, 1, 2)]
    [1.0, 1.0, 0.5]
    """

    name, unit, range, tags = "moe_grouped", "", (0, None), _SMOOTH
    formula = (
        "sum_d f_d P_d of each sequence, P_d the sum of P_e in group d; f_d the mean of E n_e / (k T) in it, "
        "or D / (M T) times the tokens sent to it; mean over sequences and layers"
    )
    gradient = f"{_PULL}; w_e = f_d of e's group"
    cite = "DeepSeek-AI, DeepSeek-V2, 2024, equations 26 to 31"
    reference = "closed form"
    example = {"groups": 2}
    groups: int
    limit: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups < 1 or not (self.limit is None or 1 <= self.limit <= self.groups):
            raise ValueError(f"groups must be at least 1 and limit 1 to groups, not {self.groups} and {self.limit}")

    def counts(self, layer: Layer) -> Any:
        import torch

        if layer.experts % self.groups:
            raise eh.DataError(f"loss '{self.name}': {layer.experts} experts do not make {self.groups} equal groups")
        group = layer.chosen // (layer.experts // self.groups)
        if self.limit is None:
            return layer.count(group, self.groups)
        group = group.sort(-1).values
        first = torch.cat([torch.ones_like(group[:, :1], dtype=torch.bool), group[:, 1:] != group[:, :-1]], 1)
        return layer.layout.scattered(group, first.to(layer.logits.dtype), self.groups)

    def of_sample(self, counts: Any, probabilities: Any, tokens: Any) -> Any:
        choices = counts.sum(-1) if self.limit is None else tokens * self.limit
        return product(counts, choices, probabilities.unflatten(-1, (self.groups, -1)).sum(-1), tokens)


LOSSES: tuple[type[eh.Loss], ...] = (Switch, TopK, TopKPooled, GShard, Sequence, Grouped)
