"""Small random tensors under the names that losses read, and how to cut and change them by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BATCH, TOKENS, VOCABULARY, WIDTH, EXPERTS, LAYERS = 5, 4, 6, 3, 4, 2
FRAMES, NEGATIVES = 9, 2
IGNORED = -100
DIFFERENTIATED = frozenset({
    "logits", "hidden", "head_weight", "router_logits", "router_weights", "chosen_logps", "rejected_logps", "query", "positive",
    "negative", "prediction", "logps", "chosen_score", "rejected_score", "candidate_logps",
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


def sliced(tensors: Mapping[str, Any], rows: slice) -> dict[str, Any]:
    """Return the tensors of some samples."""
    count = rows_of(tensors)
    return {
        name: value if name in SHARED else tuple(_of(layer, rows, count) for layer in value) if name in LAYERED else value[rows]
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
    changed = dict(tensors)
    for name in DIFFERENTIATED.difference(SHARED, LAYERED).intersection(tensors):
        changed[name] = tensors[name].clone()
        changed[name][row] = tensors[name][row].flip(-1) * 2 + 1 if tensors[name].ndim > 1 else tensors[name][row] * 2 - 1
    if "router_logits" in tensors:
        layers = [layer.unflatten(0, (rows_of(tensors), -1)).clone() for layer in tensors["router_logits"]]
        for layer in layers:
            layer[row] = layer[row].flip(-1) * 2 + 1
        changed["router_logits"] = tuple(layer.flatten(0, 1) for layer in layers)
    return changed
