"""Sequence losses: CTC over alignments, and losses of sampled sequences that have a cost or a reward.

Costs, rewards and baselines pass no gradient: they are what sequences got, whatever gave it.
"""

from __future__ import annotations

from typing import Any

import evalharness as eh
from evalharness_losses.declaring import ABOVE_0, per_sample
from evalharness_losses.tensors import alike, check, check_weight, filled, in_full, refuse, refuse_shape

IGNORED = -100


class Ctc(eh.Loss):
    """Mean CTC loss over sequences, in nats, 0 or more: all alignments that spell the labels together.

    Reads `logits` (batch, frames, classes), `labels` (batch, length), -100 left out, which stand under no frame, and optionally
    `frames` (batch,), how many of the logits are real, all where it is not given, and `sample_weight`. A sample without labels
    counts for nothing. With `per_label` the loss of a sequence is divided by its number of labels, as torch's mean does.
    Labels that need more frames than there are (one each, and one between equal neighbours) have no alignment: DataError,
    or with `skip_impossible` a loss of 0 without gradient, torch's `zero_infinity`. Reduction: mean over sequences,
    weighted by `sample_weight`. Computed in float32 or better.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 2, 3), torch.tensor([[2]])  # 3 of 9 paths spell 2
    >>> round(float(Ctc()(logits=logits, labels=labels)), 4)
    1.0986
    """

    name, unit, range = "ctc", "nats/sequence", (0, None)
    tags = ("differentiable", "robust", "bounded gradient")
    formula = "-log sum over paths that spell y, repeats merged and blanks dropped, of prod_t p_t(path_t)"
    gradient = "softmax(z_t) - q_t, with respect to the logits z_t of a frame; q_t the share of paths in each class at t"
    cite = "Graves et al. 2006, Connectionist Temporal Classification"
    reference = "torch.nn.functional.ctc_loss"
    blank: int = 0
    per_label: bool = False
    skip_impossible: bool = False

    def __post_init__(self) -> None:
        if self.blank < 0:
            raise ValueError(f"blank is {self.blank}, but must be 0 or more")

    def count(self, labels: Any, sample_weight: Any = None, **_: Any) -> dict[str, Any]:
        spelt = (labels != IGNORED).any(1)
        return {"weight": spelt.float() if sample_weight is None else spelt * in_full(sample_weight)}

    def whole(self, **tensors: Any) -> Any:
        """Return the loss of one batch; raises DataError where no sample of it counts."""
        import torch

        given = self.chosen(tensors)
        if not torch.compiler.is_compiling() and not bool(self.count(**given)["weight"].any()):
            shape = tuple(given["labels"].shape)
            raise eh.DataError(f"loss '{self.name}': 'labels' {shape} has no sample that counts: all are -100 or weigh 0")
        return super().whole(**given)

    def measure(self, logits: Any, labels: Any, frames: Any = None, sample_weight: Any = None) -> dict[str, Any]:
        import torch

        self._check_shapes({"logits": logits, "labels": labels})
        if sample_weight is not None:
            check_weight(self.name, sample_weight, {"logits": logits, "labels": labels})
        weight = self.count(labels, sample_weight)["weight"]
        live = weight > 0
        given, labels = filled(in_full(logits), live), labels.masked_fill(~live[:, None], IGNORED)
        check(self.name, {"logits": given})
        real = torch.full_like(labels[:, 0], logits.shape[1]) if frames is None else frames.masked_fill(~live, logits.shape[1])
        self._check_numbers(labels, real, *logits.shape[1:])
        found = self._found(given, labels, real)
        return {"loss": found * weight.to(found.dtype), "weight": weight.to(found.dtype)}

    def _found(self, logits: Any, labels: Any, frames: Any) -> Any:
        """Return the loss of each sequence."""
        from torch.nn import functional

        order = (labels == IGNORED).int().argsort(dim=1, stable=True)  # labels to the front
        targets, lengths = labels.gather(1, order), (labels != IGNORED).sum(1)
        log_p = logits.log_softmax(-1).transpose(0, 1)
        found = functional.ctc_loss(
            log_p, targets.clamp(min=0), frames, lengths, self.blank, reduction="none", zero_infinity=self.skip_impossible
        )
        repeats = ((targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] != IGNORED)).sum(1)
        self._check_possible(found, labels, lengths + repeats, frames)
        return found / lengths.clamp(min=1) if self.per_label else found

    def _check_shapes(self, given: dict[str, Any]) -> None:
        if given["logits"].ndim != 3:
            refuse_shape(self.name, given, "logits", "(batch, frames, classes)")
        if given["labels"].ndim != 2 or len(given["labels"]) != len(given["logits"]):
            refuse_shape(self.name, given, "labels", "(batch, length), as many rows as 'logits'")

    def _check_numbers(self, labels: Any, frames: Any, most: int, classes: int) -> None:
        known = (labels >= 0) & (labels < classes) & (labels != self.blank)
        words = f"is {{value}}, which is no class from 0 to {classes - 1} other than the blank, {self.blank}, and not -100,"
        refuse(self.name, "labels", labels, ~known & (labels != IGNORED), words)
        refuse(self.name, "frames", frames, (frames < 1) | (frames > most), f"is {{value}}, which is not from 1 to {most},")

    def _check_possible(self, found: Any, labels: Any, needed: Any, frames: Any) -> None:
        import torch

        if torch.compiler.is_compiling() or not bool(found.isinf().any()):
            return
        row = int(found.isinf().nonzero()[0])
        told = (
            f"need {int(needed[row])} frames and have {int(frames[row])}" if needed[row] > frames[row] else "have probability 0"
        )
        raise eh.DataError(
            f"loss '{self.name}': 'labels' {tuple(labels.shape)} {told} in sample {row} of the batch;"
            " skip_impossible: true gives such samples the loss 0"
        )


@per_sample(
    unit="cost", tags=("differentiable", "robust", "bounded gradient"), limits={"alpha": ABOVE_0}, fits=alike,
    formula="sum_s q_s cost_s, q = softmax(alpha log p) over the candidates of a sample",
    gradient="alpha q_s (cost_s - sum_r q_r cost_r) by log p_s",
    cite="Shen et al. 2016, Minimum Risk Training for Neural Machine Translation", reference="closed form",
)  # fmt: skip
def minimum_risk(candidate_logps: Any, candidate_costs: Any, *, alpha: float = 0.005) -> Any:
    """Mean expected cost over samples, in the unit of the cost, signed: from the least to the largest cost.

    Reads sums of log-probabilities of the candidates of each sample, and what each costs, (batch, candidates). A small `alpha`
    (the paper's default) makes candidates nearly equally likely, 1 takes them as the model does.

    >>> import torch
    >>> costs = torch.tensor([[0.0, 1.0]])
    >>> float(minimum_risk(alpha=1.0)(candidate_logps=torch.tensor([[-3.0, -3.0]]), candidate_costs=costs))
    0.5
    """
    return ((alpha * candidate_logps).softmax(-1) * candidate_costs.detach()).sum(-1)


@per_sample(
    unit="reward x nats", tags=("convex", "differentiable", "robust", "bounded gradient"), fits=alike,
    formula="-(R - b) log pi(sampled sequence)", gradient="-(R - b) by log pi",
    cite="Williams 1992, Simple Statistical Gradient-Following Algorithms", reference="exact enumeration of a small policy",
)  # fmt: skip
def reinforce(logps: Any, rewards: Any, baseline: Any = None) -> Any:
    """Mean REINFORCE loss over sampled sequences, signed: its gradient estimates that of the negative expected reward.

    Reads the log-probability of each sequence, summed over its tokens, and its reward, (batch,) each. `baseline` (batch,),
    optional, must not depend on the sequence that it stands beside: a running mean, the mean reward of the other samples, or
    what a value model expects. The value itself says nothing; only its gradient does.

    >>> import torch
    >>> float(reinforce()(logps=torch.tensor([-2.0]), rewards=torch.tensor([3.0]), baseline=torch.tensor([1.0])))
    4.0
    """
    return -(rewards - (0 if baseline is None else baseline)).detach() * logps


LOSSES: tuple[type[eh.Loss], ...] = (Ctc, minimum_risk, reinforce)
