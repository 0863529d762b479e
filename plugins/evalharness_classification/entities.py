"""Entities in sequences of tags, such as `B-PER I-PER O`, and how many of them are found: whole, and of the right type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalharness import Rows


def entities_in(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Return the entities of a sequence: type, first place and the place after the last.

    Tags are `O`, or a type after `B-`, `I-`, `E-` or `S-`. As in conlleval, an `I-` or `E-` that continues nothing of its
    type begins an entity of its own, so that IOB1, IOB2 and IOBES are all read.

    >>> sorted(entities_in(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"]))
    [('LOC', 3, 4), ('LOC', 4, 5), ('PER', 0, 2)]
    """
    found: set[tuple[str, int, int]] = set()
    begun, before = 0, ("O", "")
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        if not (prefix in ("I", "E") and before[0] in ("B", "I") and kind == before[1]):
            if before[0] != "O":
                found.add((before[1], begun, place))
            begun = place
        before = (prefix, kind)
    return found


def entity_margins(prediction: Sequence[Any], target: Sequence[Any], labels: Sequence[str]) -> Rows:
    """Return of each row how many entities of each type are found, there, and given (of none of the types last)."""
    import numpy as np

    places = {label: place for place, label in enumerate(labels)}
    hits, targets = (np.zeros((len(target), len(labels))) for _ in range(2))
    decisions = np.zeros((len(target), len(labels) + 1))
    unmeasured: dict[int, str] = {}
    for row, (given, right) in enumerate(zip(prediction, target, strict=True)):
        wanted = entities_in(right) if _are_tags(right) else None
        if wanted is None or not {kind for kind, *_ in wanted} <= set(places):
            unmeasured[row] = "target is no list of tags with these labels"
        elif not _are_tags(given) or len(given) != len(right):
            unmeasured[row] = "prediction is no list of as many tags as target"
        else:
            found = entities_in(given)
            for counted, table in ((found & wanted, hits), (wanted, targets), (found, decisions)):
                np.add.at(table[row], [places.get(kind, len(labels)) for kind, *_ in counted], 1)
    return Rows({"hits": hits, "targets": targets, "decisions": decisions, "rows": np.ones(len(target))}, unmeasured)


def _are_tags(row: Any) -> bool:
    return isinstance(row, (list, tuple)) and all(isinstance(tag, str) for tag in row)
