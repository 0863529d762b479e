"""Small random tensors under the names that losses read, and how to cut and change them by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

BATCH, TOKENS, VOCABULARY, WIDTH, EXPERTS, LAYERS = 5, 4, 6, 3, 4, 2
FRAMES, NEGATIVES = 9, 2
IGNORED = -100
DIFFERENTIATED = frozenset({
    "logits", "hidden", "head_weight", "router_logits", "router_weights", "chosen_logps", "rejected_logps", "query", "positive",
    "negative", "prediction", "probabilities", "logps", "chosen_score", "rejected_score", "candidate_logps",
})  # fmt: skip
SHARED = ("head_weight", "router_weights")  # one for all samples
LAYERED = ("router_logits", "router_indices")  # a tuple, one tensor a layer


def default_tensors(names: Sequence[str]) -> dict[str, Any]:
    """Return tensors of the shapes that `evalharness.contract` lists, floats in float64, the same every time.

    `logits` are (batch, classes) beside `target`, otherwise (batch, tokens, vocabulary), of which there are more
    than labels beside `frames`; `target` holds classes beside `logits` or `probabilities`, otherwise floats as `prediction`.
    """
    import torch

    chance = torch.Generator().manual_seed(0)

    def floats(*shape: int) -> Any:
        return torch.randn(*shape, generator=chance, dtype=torch.float64)

    def whole(high: int, *shape: int) -> Any:
        return torch.randint(high, shape, generator=chance)

    per_class = "target" in names
    spelt = "frames" in names
    per_token = "attention_mask" in names and bool({*LAYERED, "router_weights"} & set(names))
    routed = BATCH * TOKENS if per_token else BATCH
    shape = (BATCH, VOCABULARY) if per_class else (BATCH, FRAMES if spelt else TOKENS, VOCABULARY)
    labels = whole(VOCABULARY - spelt, BATCH, TOKENS) + spelt  # 0 is the blank between frames
    labels[1, -1] = IGNORED
    mask = torch.ones(BATCH, TOKENS, dtype=torch.int64)
    mask[1, -1] = 0 if per_token else 1
    made = {
        "logits": floats(*shape), "teacher_logits": floats(*shape), "labels": labels,
        "token_weight": floats(BATCH, TOKENS).abs(), "sample_weight": floats(BATCH).abs(),
        "hidden": floats(BATCH, TOKENS, WIDTH), "head_weight": floats(VOCABULARY, WIDTH),
        "attention_mask": mask, "document_ids": whole(2, BATCH, TOKENS).sort(-1).values,
        "router_logits": tuple(floats(routed, EXPERTS) for _ in range(LAYERS)),
        "router_indices": tuple(whole(EXPERTS, routed, 2) for _ in range(LAYERS)),
        **{name: -floats(BATCH).abs() for name in ("chosen_logps", "rejected_logps", "ref_chosen_logps", "ref_rejected_logps")},
        **{name: whole(4, BATCH) + 1 for name in ("chosen_tokens", "rejected_tokens")},
        **{name: floats(BATCH) for name in ("chosen_score", "rejected_score", "pair_margin", "rewards", "baseline")},
        **{name: -floats(BATCH).abs() for name in ("logps", "ref_logps", "kl_logps", "ref_kl_logps")},
        "desirable": torch.arange(BATCH) % 2 == 0,
        "candidate_logps": -floats(BATCH, 3).abs(), "candidate_costs": floats(BATCH, 3).sigmoid(),
        "query": floats(BATCH, WIDTH), "positive": floats(BATCH, WIDTH), "negative": floats(BATCH, NEGATIVES, WIDTH),
        "teacher_scores": floats(BATCH, 1 + NEGATIVES), "frames": FRAMES - whole(2, BATCH),
        "prediction": floats(BATCH), "probabilities": floats(BATCH, VOCABULARY).softmax(-1),
        "target": whole(VOCABULARY, BATCH) if {"logits", "probabilities"} & set(names) else floats(BATCH),
        "router_weights": tuple(floats(EXPERTS, 2 * EXPERTS) for _ in range(LAYERS)),
    }  # fmt: skip
    return {name: made[name] for name in names if name in made}


def rows_of(tensors: Mapping[str, Any]) -> int:
    """Return how many samples the tensors hold."""
    if "attention_mask" in tensors:
        return len(tensors["attention_mask"])
    name = next(name for name in tensors if name not in SHARED)
    return len(tensors[name][0] if name in LAYERED else tensors[name])


def sliced(tensors: Mapping[str, Any], rows: slice, shared: Iterable[str] = ()) -> dict[str, Any]:
    """Return the tensors of some samples; `shared` names those that all samples share, beside those that always are."""
    count, whole = rows_of(tensors), {*SHARED, *shared}
    return {
        name: value if name in whole else tuple(_of(layer, rows, count) for layer in value) if name in LAYERED else value[rows]
        for name, value in tensors.items()
    }


def _of(layer: Any, rows: slice, count: int) -> Any:
    """Return the rows of some of `count` samples of one layer, which holds the tokens of each one after the other."""
    return layer.unflatten(0, (count, -1))[rows].flatten(0, 1)


def weightless(tensors: Mapping[str, Any], row: int) -> dict[str, Any] | None:
    """Return the tensors with one sample of weight 0, or None where nothing says how much a sample weighs."""
    changed = {name: tensors[name].clone() for name in ("sample_weight", "token_weight", "labels") if name in tensors}
    if "attention_mask" in tensors and set(LAYERED) & set(tensors):
        changed["attention_mask"] = tensors["attention_mask"].clone()
    if not changed:
        return None
    for name, value in changed.items():
        value[row] = IGNORED if name == "labels" else 0
    return {**tensors, **changed}


def changed_in_row(tensors: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Return the tensors with other numbers in one sample of everything that a model would have computed."""
    return _with_row(tensors, row, lambda values: values.flip(-1) * 2 + 1 if values.ndim else values * 2 - 1)


def spoilt_in_row(tensors: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Return the tensors with NaN in one sample of everything that a model would have computed."""
    return _with_row(tensors, row, lambda values: values * float("nan"))


def _with_row(tensors: Mapping[str, Any], row: int, change: Callable[[Any], Any]) -> dict[str, Any]:
    changed = dict(tensors)
    for name in DIFFERENTIATED.difference(SHARED).intersection(tensors):
        layers = tensors[name] if name in LAYERED else (tensors[name],)
        per_sample = [layer.unflatten(0, (rows_of(tensors), -1)).clone() for layer in layers]
        for layer in per_sample:
            layer[row] = change(layer[row].squeeze(0)).reshape(layer[row].shape)
        flat = tuple(layer.flatten(0, 1) for layer in per_sample)
        changed[name] = flat if name in LAYERED else flat[0]
    return changed


def moved(tensors: Mapping[str, Any], size: float, chance: Any) -> dict[str, Any]:
    """Return the tensors with everything that a model would have computed a random step of this size away.

    Weights that all samples share stay: what is asked of a loss is asked in the output of the model. Probabilities stay so,
    and log-probabilities below 0.
    """
    changed = dict(tensors)
    for name in DIFFERENTIATED.difference(SHARED).intersection(tensors):
        found = [_stepped(name, value, size, chance) for value in (tensors[name] if name in LAYERED else (tensors[name],))]
        changed[name] = tuple(found) if name in LAYERED else found[0]
    return changed


def _stepped(name: str, value: Any, size: float, chance: Any) -> Any:
    import torch

    step = size * torch.randn(value.shape, generator=chance, dtype=torch.float64).to(value.dtype)
    if name == "probabilities":
        return (value.log() + step).softmax(-1)
    # Log-probabilities fall, so that they stay below 0 however far the line is drawn on.
    return value - step.abs() if name.endswith("logps") else value + step


def in_precision(tensors: Mapping[str, Any], precision: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the tensors with those of these names, and layers of them, in another floating-point precision."""

    def turned(value: Any) -> Any:
        return tuple(map(turned, value)) if isinstance(value, tuple) else value.to(precision)

    return {**tensors, **{name: turned(tensors[name]) for name in names if name in tensors}}
