"""Balance without a loss, as a training rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import evalharness as eh


class BiasBalance(eh.TrainingRule):
    """Loss-free balance of experts: after each step the bias of a busy expert falls by `rate`, that of an idle one rises.

    b_e += rate sign(mean load - load_e). The load is how often an expert was chosen in the whole step: all its
    micro-batches, all processes, padding left out. The bias decides only which experts are chosen, so only a router that
    has one can be balanced so (DeepSeek-V3, GLM-4-MoE, dots1, LFM2-MoE, ERNIE-4.5-MoE, ...). A bias kept in half precision
    rounds its steps. No hook stays on the model between steps. `rate` above 0; the paper's is 0.001.

    Raises UsageError for a model without routers, or with one that has no such bias. Reference: megatron-core's
    get_updated_expert_bias; Wang et al., Auxiliary-Loss-Free Load Balancing Strategy for Mixture-of-Experts, 2024.

    >>> import torch
    >>> class TinyRouter(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.register_buffer("e_score_correction_bias", torch.zeros(3))
    ...     def forward(self, scores):
    ...         chosen = (scores + self.e_score_correction_bias).topk(1).indices
    ...         return scores, scores.gather(1, chosen), chosen
    >>> model, rule = torch.nn.Sequential(TinyRouter()), BiasBalance(rate=0.5)
    >>> rule.before_step(model)
    >>> _ = model(torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [1.0, 3.0, 2.0]]))
    >>> rule.after_backward({}, model)
    >>> model[0].e_score_correction_bias
    tensor([-0.5000,  0.0000,  0.5000])
    """

    name = "moe_bias"

    rate: float = 0.001
    # What listens to a model's routers now.
    _routings: list[Any] = field(default_factory=list, init=False, repr=False, compare=False, metadata={"option": False})

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise ValueError(f"rate is {self.rate}, but must be above 0")

    def before_step(self, model: Any) -> None:
        """Begin to count what the routers choose."""
        self._end()  # of a step that failed
        routing = eh.routing(model)
        for router in routing.routers:
            if router.correction is None:
                kind = type(router.module).__name__
                raise eh.UsageError(f"rule 'moe_bias' needs routers with a correction bias; '{router.name}' ({kind}) has none")
        self._routings.append(routing.__enter__())

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        """Move the biases, and count no more."""
        for routing in self._routings:
            for router in routing.routers:
                if router.name in routing.loads:
                    _move(router.correction, _of_all_processes(routing.loads[router.name]), self.rate)
        self._end()

    def _end(self) -> None:
        while self._routings:
            self._routings.pop().__exit__()


def _of_all_processes(load: Any) -> Any:
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        load = load.clone()
        torch.distributed.all_reduce(load)
    return load


def _move(bias: Any, load: Any, rate: float) -> None:
    import torch

    with torch.no_grad():
        # In whole numbers, so that an expert that has exactly its part stays.
        towards = (load.sum() - load * len(load)).sign()
        bias.add_(towards.view_as(bias).to(bias.dtype), alpha=rate)
