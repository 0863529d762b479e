"""How a token-level loss is declared: a decorated function of the quantities of a token, with its formula and oracle.

    @per_token(
        unit="nats/token", range=(0, None), tags=("differentiable", "robust", "bounded gradient"), limits={"gamma": AT_LEAST_0},
        formula="-(1 - p)^gamma log p", gradient="...", reference="torchvision.ops.sigmoid_focal_loss",
    )
    def focal_tokens(token, *, gamma: float = 2.0):
        "Mean focal loss of the labels ..."
        return -(1 - token.log_p.exp()) ** gamma * token.log_p

`token` holds what `evalharness_losses.vocabulary.Chunk` lists, one number a token, computed when it is read; keyword-only
parameters are the options, `limits` their bounds. Everything else is the same for all of them and is done here: the shift of
labels, masks, weights, packed documents, how values are averaged, and logits that are computed a few tokens at a time.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import evalharness as eh
from evalharness_losses.declaring import SHARE, Limit, check_limits, documented
from evalharness_losses.places import IGNORED, Earlier, Normalise, Places, placed
from evalharness_losses.tensors import check, check_range, in_full, is_bool, refuse, refuse_kind, refuse_shape
from evalharness_losses.vocabulary import Tokens, values, weighted_sum

_REDUCTION = """Reduction: mean over labelled tokens, weighted by `token_weight` and `sample_weight`; `normalise` says what the
    sum is divided by. Computed in float32 or better, also under autocast."""


class TokenLoss(eh.Loss):
    """A loss that is the mean of one value for each labelled token; the logits at one place predict the label at the next.

    - `normalise`: "token" is the weighted sum over tokens divided by the sum of weights; "sample" the mean over samples of
      their own weighted mean; "batch" the weighted sum over tokens divided by the number of samples. Sums run over the whole
      window of accumulation. A sample with no token that counts is none; where rows are packed, each document is a sample.
    - `mask` says which tokens are labels: those after the prompt, all, or the turns of the assistant; `prompt_weight` how
      much the others count, against 1. Both are for the collator, which makes `labels` and `token_weight` of them.
    """

    value: ClassVar[Callable[..., Any]]
    own: ClassVar[tuple[str, ...]] = ()  # the options of the function
    limits: ClassVar[Mapping[str, Limit]] = {}
    with_earlier: ClassVar[bool] = False  # whether the earlier labels of a token are its negatives

    mask: Literal["prompt", "none", "turns"] = "prompt"
    prompt_weight: float = 0.0
    normalise: Normalise = "token"

    def __post_init__(self) -> None:
        check_limits(self, {"prompt_weight": SHARE, **self.limits})
        _ = self.accepts  # computed now, because torch.compile cannot trace it

    def chosen(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the tensors that the loss reads; raises TypeError that names one which is missing."""
        found = super().chosen(tensors)
        if "logits" not in found and not {"hidden", "head_weight"} <= set(found):
            needed = {"hidden": "'head_weight'", "head_weight": "'hidden'"}
            other = next((needed[name] for name in found if name in needed), "'logits', or 'hidden' and 'head_weight'")
            raise TypeError(f"loss '{self.name}' needs the tensor {other}; it was given: {', '.join(found)}")
        return found

    def measure(
        self, labels: Any, logits: Any = None, hidden: Any = None, head_weight: Any = None, token_weight: Any = None,
        sample_weight: Any = None, document_ids: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        outputs = {"logits": logits, "hidden": hidden, "head_weight": head_weight}
        places = self._places(labels, token_weight, sample_weight, document_ids)
        tokens = self._tokens(places, labels, document_ids, **outputs)
        found = values(tokens, self._function)
        return self._by_row(found, tokens, places, labels)

    def _by_row(self, found: Any, tokens: Tokens, places: Places, labels: Any) -> dict[str, Any]:
        """Return the statistics of each row, given the value of each token that counts."""
        self._check_values(found, tokens, labels)
        shares = places.shares.flatten()[tokens.places].to(found.dtype)
        rows = found.new_zeros(labels.numel()).index_add(0, tokens.places, found * shares)
        return {"loss": rows.view(labels.shape).sum(-1), "weight": places.weight.to(found.dtype)}

    def count(
        self, labels: Any, token_weight: Any = None, sample_weight: Any = None, document_ids: Any = None, **_: Any
    ) -> dict[str, Any]:
        return {"weight": self._places(labels, token_weight, sample_weight, document_ids).weight}

    def share(self, totals: Mapping[str, Any], **tensors: Any) -> Any:
        """Return this micro-batch's part of the loss of a window of this total weight; logits are computed once."""
        return self._summed(totals["weight"], **self.chosen(tensors))

    def whole(self, **tensors: Any) -> Any:
        """Return the loss of one batch; logits are computed once."""
        return self._summed(None, **self.chosen(tensors))

    def _summed(
        self, total: Any, labels: Any, token_weight: Any = None, sample_weight: Any = None, document_ids: Any = None,
        **outputs: Any,
    ) -> Any:  # fmt: skip
        places = self._places(labels, token_weight, sample_weight, document_ids)
        tokens = self._tokens(places, labels, document_ids, **outputs)
        total = places.weight.sum() if total is None else total
        self._check_total(total, labels)
        shares = (places.shares.flatten()[tokens.places] / total).to(in_full(tokens.rows[:0]).dtype)
        found, each = weighted_sum(tokens, self._function, shares)
        self._check_values(each, tokens, labels)
        return found

    def _function(self, token: Any) -> Any:
        return type(self).value(token, **{name: getattr(self, name) for name in self.own})

    def _share_of_items(self, items: Any, tensors: Mapping[str, Any]) -> Any:
        """Return the share of a window of so many labelled tokens, which says nothing of its number of samples."""
        if self.normalise == "token":
            return super()._share_of_items(items, tensors)
        if int(items) == int((tensors["labels"][:, 1:] != IGNORED).sum()):  # the window is this batch
            return self.whole(**tensors)
        mend = "use evalharness.training.LossTrainer, which counts them, or no accumulation, or normalise: token"
        raise TypeError(f"loss '{self.name}' with normalise: {self.normalise} needs the window's number of samples; {mend}")

    def _places(self, labels: Any, token_weight: Any, sample_weight: Any, document_ids: Any) -> Places:
        weights = {"token_weight": token_weight, "sample_weight": sample_weight, "document_ids": document_ids}
        constant = {name: None if tensor is None else tensor.detach() for name, tensor in weights.items()}
        self._check_weights(labels, {name: tensor for name, tensor in constant.items() if tensor is not None})
        return placed(labels, **constant, normalise=self.normalise)

    def _tokens(self, places: Places, labels: Any, document_ids: Any, **outputs: Any) -> Tokens:
        """Return the tokens that count; while torch.compile traces all tokens, those that do not count with harmless rows."""
        import torch

        rows, head = self._rows(labels, **outputs)
        counts, targets = places.shares.flatten() > 0, places.targets.flatten()
        if torch.compiler.is_compiling():  # which tokens count must not decide the shape of anything
            chosen = torch.arange(len(targets), device=targets.device)
            rows, targets = torch.where(counts[:, None], rows, 0.0), targets.clamp_min(0)
        else:
            chosen = counts.nonzero()[:, 0]
            targets = targets[chosen]
        earlier = Earlier(labels, document_ids, chosen, targets) if self.with_earlier else None
        tokens = Tokens(rows, head, chosen, targets, earlier, labels.shape[-1] if earlier else 0)
        self._check_labels(tokens.vocabulary, places.targets)
        return tokens

    def _rows(self, labels: Any, logits: Any = None, hidden: Any = None, head_weight: Any = None) -> tuple[Any, Any]:
        """Return the rows of hidden states and the head, or the rows of logits and None."""
        import torch

        if hidden is None or head_weight is None:
            self._check_shape("logits", logits, labels, "vocabulary")
            return logits.flatten(0, 1), None
        self._check_shape("hidden", hidden, labels, "width")
        if head_weight.ndim != 2 or head_weight.shape[1] != hidden.shape[-1]:
            refuse_shape(self.name, {"hidden": hidden, "head_weight": head_weight}, "head_weight", "(vocabulary, width)")
        kind = torch.promote_types(hidden.dtype, head_weight.dtype)
        return hidden.to(kind).flatten(0, 1), head_weight.to(kind)

    def _check_weights(self, labels: Any, given: Mapping[str, Any]) -> None:
        if labels.ndim != 2:
            refuse_shape(self.name, {"labels": labels}, "labels", "(batch, tokens), int64")
        if labels.is_floating_point() or is_bool(labels):
            refuse_kind(self.name, "labels", labels, "numbers of words, int64")
        shapes = {"token_weight": labels.shape, "sample_weight": labels.shape[:1], "document_ids": labels.shape}
        for name, tensor in given.items():
            if tensor.shape != shapes[name]:
                expected = "(batch,), one number a sample" if name == "sample_weight" else "of the shape of 'labels'"
                refuse_shape(self.name, {"labels": labels, name: tensor}, name, expected)
            if name != "document_ids":
                check(self.name, {name: tensor})
                check_range(self.name, name, tensor, "count")

    def _check_shape(self, name: str, tensor: Any, labels: Any, last: str) -> None:
        if tensor.ndim != 3 or tensor.shape[:2] != labels.shape:
            refuse_shape(
                self.name, {name: tensor, "labels": labels}, name, f"(batch, tokens, {last}), beside (batch, tokens) labels"
            )

    def _check_labels(self, vocabulary: int, targets: Any) -> None:
        outside = (targets != IGNORED) & ((targets < 0) | (targets >= vocabulary))
        words = f"is {{value}}, which is no word from 0 to {vocabulary - 1} and not -100,"
        refuse(self.name, "labels", targets, outside, words)

    def _check_total(self, total: Any, labels: Any) -> None:
        import torch

        if not torch.compiler.is_compiling() and not float(total) > 0:
            shape = tuple(labels.shape)
            raise eh.DataError(f"loss '{self.name}': 'labels' {shape} has no token that counts: all are -100 or weigh 0")

    def _check_values(self, found: Any, tokens: Tokens, labels: Any) -> None:
        """Raise DataError where a value is no finite number: NaN or infinite logits make it so."""
        import torch

        if torch.compiler.is_compiling() or bool(found.isfinite().all()):
            return
        place = int(tokens.places[(~found.isfinite()).nonzero()[0, 0]])
        name, last = ("logits", tokens.vocabulary) if tokens.head is None else ("hidden", tokens.rows.shape[-1])
        sample, token = divmod(place, labels.shape[1])
        raise eh.DataError(
            f"loss '{self.name}': '{name}' {(*labels.shape, last)} gives no finite loss in sample {sample} of the batch, at token"
            f" {token}: it holds NaN or infinite numbers, or leaves the label no probability"
        )


def per_token(**stated: Any) -> Callable[[Callable[..., Any]], type[TokenLoss]]:
    """Turn a function from the quantities of a token to its value into a loss; see the module."""

    def wrap(function: Callable[..., Any]) -> type[TokenLoss]:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        options = {item.name: item.default for item in parameters}
        types = {name: function.__annotations__[name] for name in options}
        origin = {
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "__doc__": documented(function, _REDUCTION),
        }
        body = {"name": function.__name__, **stated, "value": staticmethod(function), "own": tuple(options), **options}
        return type(function.__name__, (TokenLoss,), {**body, "__annotations__": types, **origin})

    return wrap
