"""The tensors that a loss reads, by name: from a batch, from what the model makes of it, and from a reference model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from evalharness.contract import Loss
from evalharness.errors import UsageError
from evalharness.training.heads import Head, head_of
from evalharness.training.logps import sequence_logps, sequence_logps_of_hidden
from evalharness.training.routing import Routing

ROUTED = ("router_logits", "router_indices", "router_weights")
PREDICTED = ("prediction", "logits")  # what a network gives that returns a bare tensor
ANSWERS = ("chosen", "rejected")


class Supply:
    """Gives the tensors that a loss reads, from one model; `reference` is a frozen one, of a teacher or of the start.

    Where the loss can do with `hidden` and `head_weight`, logits are not computed. Of a batch of pairs, the tensors by token
    (`labels`, `logits`, ...) are those of the chosen answers.
    """

    def __init__(self, loss: Loss, model: Any, reference: Any = None) -> None:
        self.loss, self.model, self.reference = loss, model, reference
        self.accepts = _accepted(loss)
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._parameters = inspect.signature(inner.forward).parameters
        self._inner = type(inner).__name__
        self._recording = False
        self._refuse_what_the_model_lacks()
        _ = self.headless  # tried out now: within a step, a rule that counts what routers do would count it

    def _refuse_what_the_model_lacks(self) -> None:
        needed = [name for name, must in self.accepts.items() if must]
        if "hidden" in needed and self.head is None:
            raise UsageError(
                f"loss '{self.loss.name}' needs the tensor 'hidden', but the output of {self._inner} is not hidden states times "
                f"one matrix (no output layer, a bias, an adapter on it, or a cap on logits). Use a loss that reads 'logits'."
            )
        routed = next((name for name in ROUTED if name in needed), None)
        if routed is not None and self.routing is None:
            raise UsageError(
                f"loss '{self.loss.name}' needs the tensor '{routed}', but {self._inner} has no router: it is no "
                f"mixture-of-experts model"
            )

    @cached_property
    def routing(self) -> Routing | None:
        """The recorder of the model's routers, None for a dense model."""
        try:
            return Routing(self.model)
        except UsageError:
            return None

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record routers within; hooks that stay for a whole training are no reason to compile a model anew."""
        if self.routing is None or self._recording:
            yield
            return
        self._recording = True
        try:
            with self.routing:
                yield
        finally:
            self._recording = False

    @cached_property
    def head(self) -> Head | None:
        """The output layer, where hidden states and its matrix are all that logits come from."""
        return head_of(self.model)

    @cached_property
    def vocabulary(self) -> dict[str, int | None]:
        """How many tokens the model reads and predicts, None where it says nothing."""
        read, written = (getattr(self.model, f"get_{side}_embeddings", lambda: None)() for side in ("input", "output"))
        return {
            "input_ids": getattr(read, "num_embeddings", None),
            "labels": None if written is None else int(written.weight.shape[0]),
        }

    @property
    def headless(self) -> bool:
        """Whether the model runs without its output layer."""
        wanted = "hidden" in self.accepts or bool(self._sides_read(self.accepts))
        return wanted and not self.accepts.get("logits") and self.head is not None

    def known(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tensors that are known before the model runs."""
        import torch

        cut = _of_chosen(batch)
        if any(name in self.accepts for name in ROUTED) and "attention_mask" in batch:
            cut = {**cut, "attention_mask": batch["attention_mask"]}  # routers see the tokens of all answers
        given = {name: value for name, value in cut.items() if name in self.accepts and torch.is_tensor(value)}
        return {**given, **self._joined({**_counts(batch), **_tensors(batch)}, batch)} if "sides" in batch else given

    def __call__(self, model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tensors of one batch; `model` is the model to run, wrapped or not."""
        tensors = self.known(batch)
        with self.recording():
            if self.routing is not None:
                self.routing.padding = batch.get("attention_mask") if "document_ids" in batch else None
            outputs = self._run(model, batch)
        if self.routing is not None and any(name in self.accepts for name in ROUTED):
            outputs |= self.routing.tensors(self.accepts)
        tensors.update(self._of_outputs(outputs, batch))
        if self.reference is not None:
            tensors.update(self._of_reference(batch, tensors))
        return tensors

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a batch goes into the model; in packed rows positions say which tokens see each other."""
        if "document_ids" in batch and "position_ids" not in self._parameters:
            raise UsageError(f"{self._inner} takes no position_ids, so packed documents would see each other: packing: false")
        inputs = {name: value for name, value in batch.items() if name in self._parameters and name != "labels"}
        if "document_ids" in batch:
            inputs.pop("attention_mask", None)
        if "use_cache" in self._parameters:
            inputs["use_cache"] = False  # beside a cache, positions no longer say which documents there are
        return inputs

    def _run(self, model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the model gives for all rows of a batch."""
        import torch

        if self.headless and self.head is not None:
            with self.head.removed():
                hidden = model(**self.inputs(batch)).logits
            return {"hidden": hidden, "head_weight": self.head.weight}
        found = model(**self.inputs(batch))
        if torch.is_tensor(found):
            return dict.fromkeys(PREDICTED, found)
        return {name: value for name, value in dict(found).items() if value is not None}

    def _of_outputs(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a model gave under the names that the loss reads."""
        if "sides" not in batch:
            return {name: value for name, value in outputs.items() if name in self.accepts}
        rows = len(batch["input_ids"]) // len(batch["sides"])
        whole = ("head_weight", *ROUTED)
        tokens = {name: value if name in whole else value[:rows] for name, value in outputs.items()}
        answers: dict[str, Any] = {}
        if self._sides_read(self.accepts):
            answers |= self._joined(_logps_by_side(outputs, batch), batch)
        if "chosen_score" in self.accepts:
            scores = outputs["logits"].squeeze(-1).split(rows)
            answers |= {f"{side}_score": scores[place] for place, side in enumerate(batch["sides"])}
        return {name: value for name, value in {**tokens, **answers}.items() if name in self.accepts}

    def _of_reference(self, batch: Mapping[str, Any], tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the loss reads of the reference model and the batch does not hold."""
        import torch

        names = [name for name in self.accepts if name.startswith(("ref_", "teacher_logits")) and name not in tensors]
        if not names:
            return {}
        with torch.no_grad():
            logits = self.reference(**self.inputs(batch)).logits
        if "sides" not in batch:
            return {"teacher_logits": logits}
        logps = _logps_by_side({"logits": logits}, batch)
        found = self._joined({f"ref_{name}": value for name, value in logps.items()}, batch)
        return {name: value for name, value in found.items() if name in names}

    def _joined(self, by_side: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return log-probabilities by side, and both sides one after the other as losses over single answers read them."""
        import torch

        found = dict(by_side)
        for single, prefix in (("logps", ""), ("ref_logps", "ref_"), ("kl_logps", "kl_"), ("ref_kl_logps", "ref_kl_")):
            sides = [by_side.get(f"{prefix}{side}_logps") for side in ANSWERS]
            if all(values is not None for values in sides):
                found[single] = torch.cat(sides)
        rows = len(batch["input_ids"]) // len(batch["sides"])
        found["desirable"] = torch.arange(2 * rows, device=batch["input_ids"].device) < rows
        return {name: value for name, value in found.items() if name in self.accepts}

    @staticmethod
    def _sides_read(accepts: Mapping[str, bool]) -> list[str]:
        return [name for name in accepts if name.endswith("logps") and not name.startswith(("ref_", "candidate_"))]


def _accepted(loss: Loss) -> dict[str, bool]:
    """Return the names that any component of a loss reads, and whether one of them must have it."""
    accepted: dict[str, bool] = {}
    for component in loss.components.values():
        for name, must in component.accepts.items():
            accepted[name] = accepted.get(name, False) or must
    return accepted


def _tensors(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name.endswith("_logps")}


def _of_chosen(batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a batch with the chosen answers only, where it holds pairs."""
    if "sides" not in batch:
        return batch
    whole = len(batch["input_ids"])
    by_row = [name for name, value in batch.items() if getattr(value, "ndim", 0) == 2 and len(value) == whole]
    return {**batch, **{name: batch[name][: whole // len(batch["sides"])] for name in by_row}}


def _counts(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many tokens each answer of a batch of pairs has."""
    numbers = (batch["labels"][:, 1:] >= 0).sum(1).split(len(batch["labels"]) // len(batch["sides"]))
    return {f"{side}_tokens": count for side, count in zip(batch["sides"], numbers, strict=True)}


def _logps_by_side(outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the log-probabilities of the answers by side, sums over tokens."""
    if "hidden" in outputs:
        sums, _ = sequence_logps_of_hidden(outputs["hidden"], outputs["head_weight"], batch["labels"])
    else:
        sums, _ = sequence_logps(outputs["logits"], batch["labels"])
    blocks = sums.split(len(sums) // len(batch["sides"]))
    return {f"{side}_logps": block for side, block in zip(batch["sides"], blocks, strict=True)}
