"""Instruction tuning: cross-entropy over the labelled tokens and its variants.

All read `labels` (batch, tokens), int64, -100 where nothing is to be learnt, and either `logits` (batch, tokens, vocabulary)
or `hidden` (batch, tokens, width) with `head_weight` (vocabulary, width), of which logits are made a few tokens at a time:
logits = hidden @ head_weight.T, without bias, scale or cap. Optional: `token_weight` (batch, tokens), under the tokens as the
labels are; `sample_weight` (batch,); `document_ids` (batch, tokens), packed rows, where the first token of a document is no
label. Computed in float32 or better, also under autocast; logits that are made of half precision are rounded to it once, as
those of the model itself, and agree with float32 within 1e-2. Below, p is the probability of a label, H the entropy of the
distribution over the vocabulary in nats, e_y the one-hot label.

Each raises DataError that names the tensor, its shape and the sample: labels outside the vocabulary, logits that give no
finite value at a token that counts, weights below 0, a batch or window in which no token counts.
"""

from __future__ import annotations

import math
from typing import Any

import evalharness as eh
from evalharness_losses.declaring import AT_LEAST_0, SHARE
from evalharness_losses.tokenwise import per_token

_BOUNDED = ("differentiable", "robust", "bounded gradient")


def _tags(loss: Any) -> tuple[str, ...]:
    """Return what holds of supervised: the square of the log-sum-exp is neither convex nor has it a bounded gradient."""
    return ("differentiable",) if loss.z_loss else ("convex", *_BOUNDED)


@per_token(
    unit="nats/token", range=(0, None), tags=property(_tags),
    limits={"label_smoothing": SHARE, "z_loss": AT_LEAST_0},
    formula="-(1 - eps) log p - eps mean_v log p_v + c log(sum_v exp z_v)^2; eps label_smoothing, c z_loss",
    gradient="softmax(z) - (1 - eps) e_y - eps / vocabulary + 2 c log(sum_v exp z_v) softmax(z), with respect to logits z",
    cite="Ouyang et al., Training language models to follow instructions with human feedback, NeurIPS 2022; z-loss: Chowdhery et"
    " al., PaLM, JMLR 2023",
    reference="transformers.loss.loss_utils.ForCausalLMLoss; label smoothing: transformers.trainer_pt_utils.LabelSmoother",
)  # fmt: skip
def supervised(token: Any, *, label_smoothing: float = 0.0, z_loss: float = 0.0) -> Any:
    """Cross-entropy of the labelled tokens, in nats per token, 0 or more.

    On a teacher's answers it is sequence-level distillation. Finite while the label's logit is; with `z_loss` convex only
    where the log-sum-exp of the logits is above 0.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 3, 4), torch.tensor([[-100, 2, 1]])
    >>> round(supervised()(logits=logits, labels=labels).item(), 4)  # log 4
    1.3863
    """
    loss = -token.log_p
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing * token.mean_log_p
    return loss + z_loss * token.log_norm**2 if z_loss else loss


@per_token(
    unit="nats/token", range=(0, None), tags=_BOUNDED, limits={"gamma": AT_LEAST_0},
    formula="-(1 - p)^gamma log p", gradient="((1 - p)^gamma - gamma (1 - p)^(gamma - 1) p log p) (softmax(z) - e_y)",
    cite="Lin et al., Focal Loss for Dense Object Detection, ICCV 2017", reference="closed form; gamma 0 is supervised",
)  # fmt: skip
def focal_tokens(token: Any, *, gamma: float = 2.0) -> Any:
    """Focal loss of the labelled tokens, in nats per token, 0 or more: tokens that are predicted well count less.

    Finite while the label's logit is.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 3, 4), torch.tensor([[-100, 2, 1]])
    >>> round(focal_tokens(gamma=1.0)(logits=logits, labels=labels).item(), 4)  # 3/4 log 4
    1.0397
    """
    import torch

    # Held above 0, where a power below 1 has no slope.
    rest = (-torch.expm1(token.log_p)).clamp_min(torch.finfo(token.log_p.dtype).tiny)
    return -(rest**gamma) * token.log_p


@per_token(
    unit="nats/token", range=(0, math.exp(-1)), tags=("robust", "bounded gradient"),
    formula="-stop(p) log p", gradient="p (softmax(z) - e_y), which is the gradient of 1 - p; p in front is a constant",
    cite="Wu et al., On the Generalization of SFT: A Reinforcement Learning Perspective with Reward Rectification, 2025",
    reference="trl.SFTTrainer(loss_type='dft')",
)  # fmt: skip
def dft(token: Any) -> Any:
    """Dynamic fine-tuning: cross-entropy of each labelled token times its probability, in nats per token, 0 to 1/e.

    The probability is a weight through which no gradient flows, so that the gradient is that of 1 - p and not that of the
    value. Finite while the label's logit is.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 3, 4), torch.tensor([[-100, 2, 1]])
    >>> round(dft()(logits=logits, labels=labels).item(), 4)  # 1/4 log 4
    0.3466
    """
    return -token.log_p.detach().exp() * token.log_p


@per_token(
    unit="nats/token", range=(0, None), tags=_BOUNDED, limits={"alpha": AT_LEAST_0},
    formula="-log p - alpha sum_{c in C} log(1 - p_c); C: the labels before this one in its document, each once, without itself",
    gradient="softmax(z) - e_y + alpha sum_{c in C} p_c / (1 - p_c) (e_c - softmax(z))", with_earlier=True,
    cite="Welleck et al., Neural Text Generation with Unlikelihood Training, ICLR 2020", reference="closed form",
)  # fmt: skip
def unlikelihood(token: Any, *, alpha: float = 1.0) -> Any:
    """Cross-entropy of the labelled tokens plus the unlikelihood of repeating earlier ones, in nats per token, 0 or more.

    Only labelled tokens are candidates, so that repeating words of a masked prompt costs nothing. The probability of a
    candidate counts as at most 1 - eps (1.2e-7 in float32), where its term saturates at -log eps without slope.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 3, 4), torch.tensor([[-100, 2, 1]])
    >>> round(unlikelihood()(logits=logits, labels=labels).item(), 4)  # log 4, and once of two tokens -log 3/4
    1.5301
    """
    return -token.log_p - alpha * token.log_not_negatives


@per_token(
    unit="nats/token", range=None, tags=_BOUNDED, limits={"beta": AT_LEAST_0},
    formula="-log p - beta H", gradient="softmax(z) - e_y + beta p_v (log p_v + H) for each word v",
    cite="Pereyra et al., Regularizing Neural Networks by Penalizing Confident Output Distributions, ICLR 2017 workshop",
    reference="closed form",
)  # fmt: skip
def confidence_penalty(token: Any, *, beta: float = 0.1) -> Any:
    """Cross-entropy of the labelled tokens less `beta` times the entropy of the distribution, in nats per token.

    At least -beta log(vocabulary); finite while the label's logit is.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 3, 4), torch.tensor([[-100, 2, 1]])
    >>> round(confidence_penalty(beta=0.5)(logits=logits, labels=labels).item(), 4)  # half of log 4
    0.6931
    """
    return -token.log_p - beta * token.entropy


LOSSES: tuple[type[eh.Loss], ...] = (supervised, focal_tokens, dft, unlikelihood, confidence_penalty)
