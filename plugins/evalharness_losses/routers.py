"""Mixture-of-experts: losses over routers that are no product of choices and probabilities.

Tensors, padding, precision and errors are those of `mixture`.
"""

from __future__ import annotations

from typing import Any, Literal

import evalharness as eh
from evalharness_losses.routed import Chosen, Layer, Scored, check_layers, layers_of, ratio, stacked
from evalharness_losses.tensors import in_full


class RouterZ(eh.Loss):
    """Router z-loss, 0 or more: the mean squared log-sum-exp of a token's router logits, over tokens and layers.

    It keeps logits small, where half precision is fine. ST-MoE's weight is 0.001. Tensors and errors are those of
    `moe_switch`. Reduction: mean over tokens and layers. Computed in float32 or better.

    >>> import torch
    >>> round(float(RouterZ()(router_logits=(torch.zeros(2, 4),))), 4)   # log(4)^2
    1.9218
    """

    name, unit, range, family = "moe_z", "squared nats", (0, None), "moe"
    tags = ("differentiable",)
    formula = "mean over tokens and layers of log(sum_e exp(l_e))^2"
    gradient = "2 log(sum_j exp(l_j)) softmax(l)_e a token, over tokens and layers"
    cite = "Zoph et al., ST-MoE, 2022, equation 5"
    reference = "transformers.models.switch_transformers.modeling_switch_transformers.router_z_loss_func"

    def measure(self, router_logits: Any, attention_mask: Any = None) -> dict[str, Any]:
        layers = layers_of(self.name, router_logits, None, attention_mask, 1)
        squares = [layer.layout.total(layer.logits.logsumexp(-1, keepdim=True).square())[:, 0] for layer in layers]
        found = stacked(self.name, layers, {"squares": squares})
        return {"loss": found["squares"].mean(1), "weight": found["tokens"].mean(1)}

    def score(self, loss: Any, weight: Any) -> Any:
        return ratio(loss, weight)

    def count(self, attention_mask: Any = None, **_: Any) -> dict[str, Any] | None:
        return None if attention_mask is None else {"weight": (attention_mask != 0).sum(1).float()}


class MutualInformation(Scored):
    """Minus the mutual information of experts and tokens, -log E to 0: sure choices, each expert used as much.

    It reads probabilities, no choices. H(e) is that of each layer, where ModuleFormer's code takes the mean over layers
    first. Not linear in its sums, so that micro-batches are exact only at the totals of their window. Tensors and
    errors are those of `moe_switch`. Reduction: mean over layers. Computed in float32 or better.

    >>> import torch
    >>> loss = MutualInformation()
    >>> round(float(loss(router_logits=(torch.tensor([[40.0, -40.0], [-40.0, 40.0]]),))), 4)
    -0.6931
    >>> abs(round(float(loss(router_logits=(torch.tensor([[40.0, -40.0], [40.0, -40.0]]),))), 4))
    0.0
    """

    name, unit, range = "moe_mutual_information", "nats", (None, 0)
    tags = ("differentiable", "robust", "bounded gradient")
    formula = "H(e given x) - H(e): mean over tokens of -sum_e p_e log p_e, plus sum_e P_e log P_e; mean over layers"
    gradient = "p_e (d_e - sum_j p_j d_j) a token, over tokens and layers; d = log P - log p"
    cite = "Chen et al., Mod-Squad, 2023; Shen et al., ModuleFormer, 2023"
    reference = "ModuleFormer, moduleformer/utils/gate.py"

    def measure(self, router_logits: Any, attention_mask: Any = None) -> dict[str, Any]:
        layers = self.layers(router_logits, None, attention_mask)
        logs = [layer.log_probabilities(self.scores) for layer in layers]
        pairs = list(zip(layers, logs, strict=True))
        entropies = [-layer.layout.total((log.exp() * log).sum(-1, keepdim=True))[:, 0] for layer, log in pairs]
        sums = [layer.layout.total(log.exp()) for layer, log in pairs]
        return stacked(self.name, layers, {"entropies": entropies, "probabilities": sums})

    def score(self, entropies: Any, probabilities: Any, tokens: Any) -> Any:
        import torch

        means = ratio(probabilities, tokens.detach()[..., None])
        whole = torch.xlogy(means, means.clamp_min(torch.finfo(means.dtype).tiny)).sum(-1)
        return (ratio(entropies, tokens.detach()) + whole).mean(-1)


class Similarity(eh.Loss):
    """SimBal: how far the routers' rows are from orthonormal, 0 or more: the sum of |R R' - I|, mean over layers.

    An orthonormal router keeps the angles between tokens, so similar tokens meet similar experts. `router_weights` are
    layers of (experts, width), at least as wide as there are experts. It depends on no sample; `attention_mask` says
    how many there are, so that the micro-batches of a window add up to one value of it. The 1-norm is that of entries.
    Reduction: mean over layers. Computed in float32 or better, autocast or not.

    >>> import torch
    >>> float(Similarity()(router_weights=(torch.eye(3, 5) * 2,), attention_mask=torch.ones(2, 4)))
    9.0
    """

    name, unit, range, family = "moe_similarity", "", (0, None), "moe"
    formula = "sum_ij |R R' - I|_ij, R the router's rows; mean over layers"
    gradient = "2 sign(R R' - I) R"
    cite = "Omi et al., Load Balancing Mixture of Experts with Similarity Preserving Routers, 2025 (arXiv 2506.14038)"
    reference = "closed form"

    def measure(self, router_weights: Any, attention_mask: Any) -> dict[str, Any]:
        import torch

        if not len(router_weights):
            raise eh.DataError(f"loss '{self.name}': 'router_weights' has no layer; the model has no router")
        check_layers(self.name, "router_weights", router_weights, "(experts, width), float", floating=True)
        with torch.autocast(router_weights[0].device.type, enabled=False):
            value = torch.stack([_off_orthonormal(in_full(layer)) for layer in router_weights]).mean()
        weight = self.count(attention_mask=attention_mask)["weight"].to(value.dtype)
        return {"loss": value * weight, "weight": weight}

    def count(self, attention_mask: Any = None, **_: Any) -> dict[str, Any]:
        return {"weight": (attention_mask != 0).any(1).float()}

    def score(self, loss: Any, weight: Any) -> Any:
        return ratio(loss, weight)


def _off_orthonormal(weight: Any) -> Any:
    import torch

    return (weight @ weight.T - torch.eye(len(weight), dtype=weight.dtype, device=weight.device)).abs().sum()


class Even(Chosen):
    """A loss that wants something to be equal among experts: its squared coefficient of variation.

    - `variance`: "population" (as in tensor2tensor), or "sample", E - 1 in place of E, as in most PyTorch ports.
    """

    variance: Literal["population", "sample"] = "population"

    def measure(self, router_logits: Any, router_indices: Any = None, attention_mask: Any = None) -> dict[str, Any]:
        layers = self.layers(router_logits, router_indices, attention_mask)
        return stacked(self.name, layers, {"use": [self.of_layer(layer) for layer in layers]})

    def of_layer(self, layer: Layer) -> Any:
        """Return (samples, experts), what is to be equal, summed over tokens."""
        raise NotImplementedError

    def score(self, use: Any, tokens: Any) -> Any:
        spread = use.var(-1, correction=0 if self.variance == "population" else 1)
        return ratio(spread, use.mean(-1).square()).mean(-1)


class Importance(Even):
    """Shazeer's importance loss, 0 or more: the squared coefficient of variation of the experts' summed gate values.

    Gates are the softmax over the chosen experts alone. Equal sums say nothing of how many tokens an expert gets, which
    is what `moe_load` is for. The paper's weight is 0.1. Options `top_k` and `variance` ("population": that of
    tensor2tensor; "sample": E - 1 in place of E, that of most PyTorch ports). Tensors and errors are those of
    `moe_top_k`. Reduction: mean over layers. Computed in float32 or better.

    >>> import torch
    >>> logits = (torch.tensor([[9.0, 0.0], [9.0, 0.0]]),)
    >>> [float(Importance(top_k=1, variance=kind)(router_logits=logits)) for kind in ("population", "sample")]
    [1.0, 2.0]
    """

    name, unit, range = "moe_importance", "", (0, None)
    tags = ("differentiable", "robust", "bounded gradient")
    formula = "var_e(I) / mean_e(I)^2, I_e = sum over tokens of the gate of e, softmax over the chosen; mean over layers"
    gradient = "g_e (w_e - sum_j g_j w_j) a token, g its gates, w_e = 2 (I_e - mean I) / (E mean(I)^2)"
    cite = "Shazeer et al., Outrageously Large Neural Networks, 2017, equations 6 and 7"
    reference = "tutel.impls.losses.load_importance_loss, for all experts chosen"

    def of_layer(self, layer: Layer) -> Any:
        gates = layer.logits.gather(1, layer.chosen).softmax(-1)
        return layer.layout.scattered(layer.chosen, gates, layer.experts)


class Load(Even):
    """Shazeer's load loss, 0 or more: the squared coefficient of variation of the experts' expected numbers of tokens.

    An expert's share of a token is the chance that it is among the k best once noise on its own logit is drawn again.

    - `noise`: the standard deviation of that noise, above 0.

    The logits are taken as they are for the noisy ones, one noise for all experts. k is the number of `router_indices` a
    token (or `top_k`), fewer than experts, else DataError. `variance` as in `moe_importance`. The paper's weight is 0.1.
    Tensors and errors are those of `moe_top_k`. Reduction: mean over layers. Computed in float32 or better.

    >>> import torch
    >>> round(float(Load(top_k=1)(router_logits=(torch.tensor([[1.0, 0.0], [1.0, 0.0]]),))), 4)   # Phi(1) and Phi(-1)
    0.4661
    """

    name, unit, range = "moe_load", "", (0, None)
    tags = ("robust", "bounded gradient")
    formula = "var_e(N) / mean_e(N)^2, N_e = sum over tokens of Phi((l_e - kth best of the others) / noise); mean over layers"
    gradient = "phi(z_e) w_e / noise at l_e, minus it at the logit that z_e is held against, w_e = dL/dN_e"
    cite = "Shazeer et al., Outrageously Large Neural Networks, 2017, equations 8 to 11"
    reference = "the _prob_in_top_k and cv_squared of public ports of tensor2tensor"
    noise: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.noise > 0:
            raise ValueError(f"noise must be above 0, not {self.noise}")

    def of_layer(self, layer: Layer) -> Any:
        import torch

        k = layer.chosen.shape[-1]
        if k >= layer.experts:
            raise eh.DataError(f"loss '{self.name}': all {layer.experts} experts are chosen, so the load is equal")
        best = layer.logits.topk(k + 1, -1).values
        others = torch.where(layer.logits > best[:, k:], best[:, k:], best[:, k - 1 : k])
        chances = torch.special.ndtr((layer.logits - others) / self.noise)
        return layer.layout.total(chances)


LOSSES: tuple[type[eh.Loss], ...] = (Importance, Load, RouterZ, Similarity, MutualInformation)
