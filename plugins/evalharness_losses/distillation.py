"""Distillation from a teacher's logits, token by token where there are labels.

All read `logits` and `teacher_logits` (batch, tokens, vocabulary), of one vocabulary, and `labels` (batch, tokens), which only
say where the student learns: at the place before each that is not -100. Optional: `token_weight`, `sample_weight`,
`document_ids`, as in instruction tuning. Computed in float32 or better, finite for all finite logits; a word whose logit is
-inf has the probability 0. Both distributions are softened by `temperature`; with `times_temperature_squared` (the default)
the loss is multiplied by its square, as Hinton et al. do so that gradients keep their size; TRL does not. No gradient goes to
the teacher. For a part of cross-entropy with the labels, combine with `supervised`.

Each raises DataError as the instruction losses do, and where teacher and student differ in shape.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import evalharness as eh
from evalharness_losses.declaring import ABOVE_0, INSIDE
from evalharness_losses.divergences import kl, log_softmax, mixed
from evalharness_losses.tensors import in_full, refuse, refuse_shape
from evalharness_losses.tokenwise import TokenLoss

_HINTON = "Hinton et al. 2015, Distilling the Knowledge in a Neural Network"
_GKD = "Agarwal et al. 2024, On-Policy Distillation of Language Models (GKD), eq. 1"
_TRL = "trl.experimental.gkd.GKDTrainer.generalized_jsd_loss"


class Distillation(TokenLoss):
    """A mean over labelled tokens of how far the student's distribution is from the teacher's."""

    unit, range = "nats/token", (0, None)
    limits = {"temperature": ABOVE_0}
    temperature: float = 1.0
    times_temperature_squared: bool = True

    @abstractmethod
    def apart(self, student: Any, teacher: Any) -> Any:
        """Return the divergence of each token, given log-probabilities (tokens, vocabulary)."""
        raise NotImplementedError

    def measure(  # type: ignore[override]
        self, labels: Any, logits: Any, teacher_logits: Any, token_weight: Any = None, sample_weight: Any = None,
        document_ids: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        if teacher_logits.shape != logits.shape:
            given = {"teacher_logits": teacher_logits, "logits": logits}
            refuse_shape(self.name, given, "teacher_logits", "of the shape of 'logits'")
        places = self._places(labels, token_weight, sample_weight, document_ids)
        student = self._tokens(places, labels, document_ids, logits=logits)
        teacher = self._tokens(places, labels, document_ids, logits=teacher_logits.detach())
        found = self.apart(*(self._softened(tokens.rows.index_select(0, student.places)) for tokens in (student, teacher)))
        self._check_teacher(found, teacher_logits, places.shares > 0)
        return self._by_row(found * self.temperature**2 if self.times_temperature_squared else found, student, places, labels)

    def _softened(self, logits: Any) -> Any:
        return log_softmax(in_full(logits) / self.temperature)

    def _check_teacher(self, found: Any, logits: Any, counts: Any) -> None:
        import torch

        if not torch.compiler.is_compiling() and bool(found.isnan().any()):
            refuse(self.name, "teacher_logits", logits, logits.isnan() & counts[..., None], "is NaN")

    def share(self, totals: Mapping[str, Any], **tensors: Any) -> Any:
        """Return this micro-batch's part of the loss of a window of this total weight."""
        return eh.Loss.share(self, totals, **tensors)

    def whole(self, **tensors: Any) -> Any:
        """Return the loss of one batch."""
        given = self.chosen(tensors)
        self._check_total(self.count(**given)["weight"].sum(), given["labels"])
        return eh.Loss.whole(self, **given)


class ForwardKl(Distillation):
    """Mean KL divergence from teacher to student over tokens, in nats, 0 or more: the student covers all that the teacher does.

    Reduction: mean over labelled tokens, weighted by `token_weight` and `sample_weight`; `normalise` says what the sum is
    divided by. Computed in float32 or better.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 2, 4), torch.tensor([[-100, 2]])
    >>> float(ForwardKl()(logits=logits, teacher_logits=logits + 1, labels=labels))
    0.0
    """

    name, cite = "forward_kl", _HINTON
    tags = ("convex", "differentiable", "robust", "bounded gradient")
    formula = "T^2 sum_v t_v (log t_v - log s_v), t and s softmax(logits / T) of teacher and student"
    gradient = "T (s - t), with respect to the student's logits"
    reference = f"torch.nn.functional.kl_div; {_TRL}, beta 0"

    def apart(self, student: Any, teacher: Any) -> Any:
        return kl(teacher, student)


class ReverseKl(Distillation):
    """Mean KL divergence from student to teacher over tokens, in nats, 0 or more: the student keeps to what the teacher does.

    Of given texts: where texts are the student's own, a policy's gradient would have a part that this has not.

    Reduction: mean over labelled tokens, weighted by `token_weight` and `sample_weight`; `normalise` says what the sum is
    divided by. Computed in float32 or better.

    >>> import torch
    >>> logits, labels = torch.zeros(1, 2, 2), torch.tensor([[-100, 1]])
    >>> teacher = torch.tensor([0.9, 0.1]).log().expand(1, 2, 2)
    >>> round(float(ReverseKl()(logits=logits, teacher_logits=teacher, labels=labels)), 4)
    0.5108
    """

    name, cite = "reverse_kl", "Gu et al. 2024, MiniLLM"
    tags = ("differentiable", "robust", "bounded gradient")
    formula = "T^2 sum_v s_v (log s_v - log t_v)"
    gradient = "T s (log s - log t - KL(s to t)), with respect to the student's logits"
    reference = f"torch.nn.functional.kl_div; {_TRL}, beta 1"

    def apart(self, student: Any, teacher: Any) -> Any:
        return kl(student, teacher)


class JensenShannon(Distillation):
    """Mean Jensen-Shannon divergence of student and teacher over tokens, in nats, 0 to T^2 log 2.

    Reduction: mean over labelled tokens, weighted by `token_weight` and `sample_weight`; `normalise` says what the sum is
    divided by. Computed in float32 or better.

    >>> import torch
    >>> logits, labels = torch.tensor([[[0.0, 99.0]] * 2]), torch.tensor([[-100, 1]])
    >>> round(float(JensenShannon()(logits=logits, teacher_logits=-logits, labels=labels)), 4)
    0.6931
    """

    name, cite = "jensen_shannon", "Lin 1991, Divergence Measures Based on the Shannon Entropy; " + _GKD
    tags = ("differentiable", "robust", "bounded gradient")
    formula = "T^2 (KL(t to m) + KL(s to m)) / 2, m = (t + s) / 2"
    gradient = "T s (log(s / m) - KL(s to m)) / 2, with respect to the student's logits"
    reference = f"{_TRL}, beta 0.5"

    def apart(self, student: Any, teacher: Any) -> Any:
        return _generalised(student, teacher, 0.5)


class GeneralisedJensenShannon(Distillation):
    """Mean generalised Jensen-Shannon divergence of student and teacher over tokens, in nats, 0 or more.

    At `beta` 0.5 it is the Jensen-Shannon divergence. Near 0 and 1 it goes to 0, in proportion to the forward and the reverse
    KL divergence, so that TRL puts these there; here they are losses of their own, and `beta` lies between.

    Reduction: mean over labelled tokens, weighted by `token_weight` and `sample_weight`; `normalise` says what the sum is
    divided by. Computed in float32 or better.

    >>> import torch
    >>> logits, labels = torch.tensor([[[0.0, 99.0]] * 2]), torch.tensor([[-100, 1]])
    >>> loss = GeneralisedJensenShannon(beta=0.1)
    >>> round(float(loss(logits=logits, teacher_logits=-logits, labels=labels)), 4)
    0.3251
    """

    name, cite = "generalised_jensen_shannon", _GKD
    tags = ("differentiable", "robust", "bounded gradient")
    formula = "T^2 (beta KL(t to m) + (1 - beta) KL(s to m)), m = beta t + (1 - beta) s"
    gradient = "T (1 - beta) s (log(s / m) - KL(s to m)), with respect to the student's logits"
    reference = _TRL
    limits = {**Distillation.limits, "beta": INSIDE}
    beta: float = 0.5

    def apart(self, student: Any, teacher: Any) -> Any:
        return _generalised(student, teacher, self.beta)


def _generalised(student: Any, teacher: Any, beta: float) -> Any:
    middle = mixed(teacher, student, beta)
    return beta * kl(teacher, middle) + (1 - beta) * kl(student, middle)


LOSSES: tuple[type[eh.Loss], ...] = (ForwardKl, ReverseKl, JensenShannon, GeneralisedJensenShannon)
