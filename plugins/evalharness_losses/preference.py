"""Preference pairs: DPO and its relatives, over log-probabilities of whole answers, and the loss of a reward model.

Log-probabilities are sums over the tokens of an answer; a loss whose paper averages divides by the number of tokens itself.
One above 0, and a number of tokens below 0, is a DataError that names the tensor and the sample. Those of the
reference model (`ref_`) are computed once before training, with the weights that training starts from.
"""

from __future__ import annotations

from typing import Any

import evalharness as eh
from evalharness_losses.coupled import Coupled, mean
from evalharness_losses.declaring import ABOVE_0, AT_LEAST_0, per_sample
from evalharness_losses.tensors import alike, check_range

ALMOST_ONE = 1e-6  # the odds of a probability nearer to 1 than this are held there: beyond it float32 has few digits left


@per_sample(
    unit="nats/pair", range=(0, None), tags=("convex", "differentiable", "robust", "bounded gradient"),
    limits={"beta": ABOVE_0}, fits=alike,
    formula="-log S(beta h), h = (log pi_w - log ref_w) - (log pi_l - log ref_l), S the logistic function",
    gradient="-beta S(-beta h) by log pi_w, the opposite by log pi_l",
    cite="Rafailov et al. 2023, Direct Preference Optimization, eq. 7", reference="trl.DPOTrainer, loss_type sigmoid",
)  # fmt: skip
def dpo(chosen_logps: Any, rejected_logps: Any, ref_chosen_logps: Any, ref_rejected_logps: Any, *, beta: float = 0.1) -> Any:
    """Mean DPO loss over pairs, in nats, 0 or more; log 2 where policy and reference agree.

    Reads four sums of log-probabilities, (batch,) each; finite for all finite ones. Longer answers weigh more, as in the paper.

    >>> import torch
    >>> logps = {name: torch.tensor([-9.0]) for name in ("rejected_logps", "ref_chosen_logps", "ref_rejected_logps")}
    >>> round(float(dpo()(chosen_logps=torch.tensor([-4.0]), **logps)), 4)
    0.4741
    """
    return _logistic(beta * (chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps))


@per_sample(
    unit="squared nats", range=(0, None), tags=("convex", "differentiable"),
    limits={"beta": ABOVE_0}, fits=alike,
    formula="(h_w - h_l - 1 / (2 beta))^2, h = log pi - log ref of an answer, per token or summed",
    gradient="2 (h_w - h_l - 1 / (2 beta)) by h_w, the opposite by h_l",
    cite="Azar et al. 2023, A General Theoretical Paradigm to Understand Learning from Human Preferences, eq. 17",
    reference="trl.DPOTrainer, loss_type ipo",
)  # fmt: skip
def ipo(
    chosen_logps: Any, rejected_logps: Any, ref_chosen_logps: Any, ref_rejected_logps: Any,
    chosen_tokens: Any, rejected_tokens: Any, *, beta: float = 0.1, per_token: bool = True,
) -> Any:  # fmt: skip
    """Mean IPO loss over pairs, in squared nats, 0 or more: the margin is drawn to 1 / (2 beta), neither more nor less.

    With `per_token` (the default, as TRL does after asking the authors) an answer's log-ratio is its mean over tokens; without
    it the sum, as the paper prints. Reads sums of log-probabilities and numbers of tokens, (batch,) each.

    >>> import torch
    >>> logps = {name: torch.tensor([-9.0]) for name in ("rejected_logps", "ref_chosen_logps", "ref_rejected_logps")}
    >>> tokens = {name: torch.tensor([5]) for name in ("chosen_tokens", "rejected_tokens")}
    >>> float(ipo()(chosen_logps=torch.tensor([-4.0]), **logps, **tokens))
    16.0
    """
    chosen, rejected = chosen_logps - ref_chosen_logps, rejected_logps - ref_rejected_logps
    if per_token:
        chosen, rejected = _per_token(chosen, chosen_tokens), _per_token(rejected, rejected_tokens)
    return (chosen - rejected - 1 / (2 * beta)) ** 2


@per_sample(
    unit="nats/pair", range=(0, None), tags=("convex", "differentiable", "robust", "bounded gradient"),
    limits={"beta": ABOVE_0}, fits=alike,
    formula="-log S(beta (log pi_w / n_w - log pi_l / n_l) - gamma), n = tokens of an answer",
    gradient="-beta S(gamma - beta d) / n_w by log pi_w, beta S(gamma - beta d) / n_l by log pi_l; d the difference of means",
    cite="Meng et al. 2024, SimPO, eq. 6", reference="trl.experimental.cpo.CPOTrainer, loss_type simpo",
)  # fmt: skip
def simpo(
    chosen_logps: Any, rejected_logps: Any, chosen_tokens: Any, rejected_tokens: Any, *, beta: float = 2.0, gamma: float = 1.0
) -> Any:
    """Mean SimPO loss over pairs, in nats, 0 or more; no reference model.

    Answers count by their mean log-probability a token; `gamma` is the margin by which the chosen one should lead, after
    `beta` (the paper's gamma, 0.5 to 1.6). Reads sums of log-probabilities and numbers of tokens, (batch,) each.

    >>> import torch
    >>> pair = {"chosen_logps": torch.tensor([-4.0]), "rejected_logps": torch.tensor([-8.0])}
    >>> tokens = {"chosen_tokens": torch.tensor([4]), "rejected_tokens": torch.tensor([4])}
    >>> round(float(simpo()(**pair, **tokens)), 4)
    0.3133
    """
    return _logistic(beta * (_per_token(chosen_logps, chosen_tokens) - _per_token(rejected_logps, rejected_tokens)) - gamma)


@per_sample(
    unit="nats", range=(0, None), tags=("convex", "differentiable", "robust", "bounded gradient"),
    limits={"beta": ABOVE_0, "alpha": AT_LEAST_0}, fits=alike,
    formula="-log S(beta (log pi_w - log pi_l)) - alpha log pi_w, the last per token or summed",
    gradient="-beta S(-beta d) - alpha / n_w by log pi_w, beta S(-beta d) by log pi_l; d = log pi_w - log pi_l",
    cite="Xu et al. 2024, Contrastive Preference Optimization, section 3",
    reference="trl.experimental.cpo.CPOTrainer, loss_type sigmoid",
)  # fmt: skip
def cpo(
    chosen_logps: Any, rejected_logps: Any, chosen_tokens: Any, *, beta: float = 0.1, alpha: float = 1.0, per_token: bool = True
) -> Any:
    """Mean CPO loss over pairs, in nats, 0 or more: a preference without reference, and the likelihood of the chosen answer.

    The preference takes sums. The likelihood, weighted by `alpha`, is a mean over the tokens of each answer (the default), or
    without `per_token` the sum that the paper prints. TRL pools it over the tokens of a micro-batch instead, which is the same
    where all chosen answers have one length. Reads sums of log-probabilities and numbers of tokens, (batch,) each.

    >>> import torch
    >>> pair = {"chosen_logps": torch.tensor([-4.0]), "rejected_logps": torch.tensor([-4.0])}
    >>> round(float(cpo()(**pair, chosen_tokens=torch.tensor([4]))), 4)
    1.6931
    """
    likelihood = _per_token(chosen_logps, chosen_tokens) if per_token else chosen_logps
    return _logistic(beta * (chosen_logps - rejected_logps)) - alpha * likelihood


@per_sample(
    unit="nats", range=(0, None), tags=("differentiable",),
    limits={"beta": ABOVE_0}, fits=alike,
    formula="-m_w - beta log S(log odds_w - log odds_l), m = log pi / n, log odds = m - log(1 - exp m)",
    gradient="-1 - beta S(-o) / (1 - exp m_w) by m_w, beta S(-o) / (1 - exp m_l) by m_l; o = log odds_w - log odds_l",
    cite="Hong et al. 2024, ORPO, eq. 6 and 7", reference="trl.experimental.orpo.ORPOTrainer.odds_ratio_loss",
)  # fmt: skip
def orpo(chosen_logps: Any, rejected_logps: Any, chosen_tokens: Any, rejected_tokens: Any, *, beta: float = 0.1) -> Any:
    """Mean ORPO loss over pairs, in nats, 0 or more: the likelihood of the chosen answer, and its odds against the rejected.

    Both take means over the tokens of each answer, as the paper has it. TRL's likelihood differs: it includes the prompt and
    is pooled over the tokens of a micro-batch. A mean log-probability above -1e-6 is held there, where odds would be infinite.
    Reads sums of log-probabilities and numbers of tokens, (batch,) each.

    >>> import torch
    >>> pair = {"chosen_logps": torch.tensor([-4.0]), "rejected_logps": torch.tensor([-4.0])}
    >>> tokens = {"chosen_tokens": torch.tensor([4]), "rejected_tokens": torch.tensor([4])}
    >>> round(float(orpo()(**pair, **tokens)), 4)
    1.0693
    """
    chosen, rejected = _per_token(chosen_logps, chosen_tokens), _per_token(rejected_logps, rejected_tokens)
    return beta * _logistic(_log_odds(chosen) - _log_odds(rejected)) - chosen


def _of_centring(loss: Any) -> tuple[str, ...]:
    """Return what holds of a reward model's loss: the square that centres scores pulls the more, the larger they are."""
    return ("convex", "differentiable") if loss.centring else ("convex", "differentiable", "robust", "bounded gradient")


@per_sample(
    unit="nats/pair", range=(0, None), tags=property(_of_centring), limits={"centring": AT_LEAST_0}, fits=alike,
    formula="-log S(r_w - r_l - m) + c (r_w + r_l)^2",
    gradient="-S(r_l + m - r_w) + 2 c (r_w + r_l) by r_w, S(r_l + m - r_w) + 2 c (r_w + r_l) by r_l",
    cite="Bradley and Terry 1952; margin: Touvron et al. 2023, Llama 2, eq. 2; centring: Eisenstein et al. 2023, eq. 2",
    reference="trl.RewardTrainer",
)  # fmt: skip
def bradley_terry(chosen_score: Any, rejected_score: Any, pair_margin: Any = None, *, centring: float = 0.0) -> Any:
    """Mean loss over pairs of a reward model, in nats, 0 or more; log 2 where both answers score alike.

    Reads the scores of both answers, (batch,) each, and optionally `pair_margin`, by how much the chosen one should lead.
    `centring` times the squared sum of both scores draws their mean to 0.

    >>> import torch
    >>> float(bradley_terry()(chosen_score=torch.tensor([100.0]), rejected_score=torch.tensor([-100.0])))
    0.0
    """
    lead = chosen_score - rejected_score - (0 if pair_margin is None else pair_margin)
    return _logistic(lead) + centring * (chosen_score + rejected_score) ** 2


class Kto(Coupled):
    """Mean KTO loss over single answers marked desirable or not, from 0 to the larger of both weights.

    Reads `logps` and `ref_logps`, sums of log-probabilities, `desirable` (bool), and `kl_logps` and `ref_kl_logps`, the same
    sums for answers that belong to other prompts of the batch, all (batch,). Their mean log-ratio, not below 0, is the point
    of reference z: it is one for the whole batch and passes no gradient, so samples are coupled, and under accumulation each
    micro-batch has its own z, as in TRL. A sample of `sample_weight` 0 takes no part in z either. One answer is no batch: z
    would be that of its own prompt. Reduction: mean over answers, weighted by `sample_weight`. Computed in float32 or better.

    >>> import torch
    >>> same = torch.tensor([-4.0, -6.0])
    >>> named = {name: same for name in ("logps", "ref_logps", "kl_logps", "ref_kl_logps")}
    >>> float(Kto()(**named, desirable=torch.tensor([True, False])))
    0.5
    """

    name, unit, range = "kto", "", (0, None)
    tags = ("differentiable", "robust", "bounded gradient")
    formula = (
        "w_good (1 - S(beta (r - z))) or w_bad (1 - S(beta (z - r))); r = log pi - log ref, z = max(0, mean r of mismatched)"
    )
    gradient = "-w_good beta S(u) S(-u), u = beta (r - z), or w_bad beta S(u) S(-u), by log pi; none through z"
    cite = "Ethayarajh et al. 2024, KTO, eq. 7"
    reference = "trl.KTOTrainer, loss_type kto"
    limits = {"beta": ABOVE_0, "desirable_weight": AT_LEAST_0, "undesirable_weight": AT_LEAST_0}
    beta: float = 0.1
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0

    def loss(
        self, logps: Any, ref_logps: Any, kl_logps: Any, ref_kl_logps: Any, desirable: Any, sample_weight: Any = None
    ) -> Any:
        import torch

        sums = {"logps": logps, "ref_logps": ref_logps, "kl_logps": kl_logps, "ref_kl_logps": ref_kl_logps}
        alike(self.name, {**sums, "desirable": desirable})
        check_range(self.name, "desirable", desirable, "binary")
        given, weight = self.prepared(sample_weight, **sums)
        point = mean(given["kl_logps"] - given["ref_kl_logps"], weight).clamp(min=0).detach()
        lead = self.beta * (given["logps"] - given["ref_logps"] - point)
        good = desirable.bool()
        share = good.to(lead.dtype)
        importance = share * self.desirable_weight + (1 - share) * self.undesirable_weight
        return mean(importance * torch.sigmoid(torch.where(good, -lead, lead)), weight)


def _logistic(margin: Any) -> Any:
    """Return -log S(margin)."""
    from torch.nn import functional

    return -functional.logsigmoid(margin)


def _per_token(logps: Any, tokens: Any) -> Any:
    """Return the mean of an answer's log-probabilities; that of no token is 0."""
    return logps / tokens.clamp(min=1)


def _log_odds(logps: Any) -> Any:
    """Return log(p / (1 - p)) of log p."""
    import torch

    held = logps.clamp(max=-ALMOST_ONE)
    return held - torch.log(-torch.expm1(held))


LOSSES: tuple[type[eh.Loss], ...] = (dpo, ipo, Kto, orpo, simpo, cpo, bradley_terry)
