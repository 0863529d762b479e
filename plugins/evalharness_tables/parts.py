"""The data set `part`: the training part or the test part of another data set, told apart by a hash of each item's id.

No seed has a part in it, so that a row of data is for testing under every seed and every arm, which are compared by it.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import evalharness as eh


class Part(eh.Dataset):
    """The training part or the test part of another data set; a fixed quarter of the items is for testing.

    - `of`: the data set, such as `{table: {source: "sklearn:diabetes"}}`.
    - `share`: the share of the items that is for testing. The hash of an id (without one, of the
      number from 0) decides. Of a table of classes it is this share of each class, rounded, those with the least hashes; a
      class of which one part would hold no row is refused. Whole numbers are classes.

    Of a table, each column of `features` has the mean 0 and the standard deviation 1 over the training part, and so has
    `target` where it is a number (with a decimal point) and no class.
    """

    name = "part"
    example: ClassVar[Mapping[str, Any]] = {"of": {"table": {"source": "sklearn:diabetes"}}, "part": "test"}

    of: eh.Spec = dataclasses.field(metadata={"kind": "dataset"})
    part: Literal["train", "test"]
    share: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"'share' must be between 0 and 1, not {self.share}")

    def items(self) -> Iterator[eh.Item]:
        """Yield the items of the part, in the order of the data set."""
        inner = self._inner()
        for item, tests in _parted(inner, inner.digest(), self.share):
            if tests == (self.part == "test"):
                yield dataclasses.replace(item, fields=dict(item.fields))

    def digest(self) -> str:
        """Return a digest of the data set's own and of the part that is taken."""
        return eh.digest([self.name, 1, self._inner().digest(), self.part, self.share])

    def _inner(self) -> eh.Dataset:
        return eh.load_dataset(self.of)


@functools.lru_cache(maxsize=8)
def _parted(inner: eh.Dataset, content: str, share: float) -> Sequence[tuple[eh.Item, bool]]:
    """Return the items of a data set with this content, standardised, and whether each is for testing."""
    items = list(inner.items())
    places = [_place_of(item.fields.get("id", number)) for number, item in enumerate(items)]
    of_classes = all("features" in item.fields and type(item.fields.get("target")) is int for item in items)
    tests = _of_each_class(items, places, share) if of_classes else [place < share for place in places]
    return list(zip(_standardised(items, tests), tests, strict=True))


def _of_each_class(items: Sequence[eh.Item], places: Sequence[float], share: float) -> list[bool]:
    """Return whether each item is for testing: of each class the share whose places come first."""
    chosen: set[int] = set()
    classes = [item.fields["target"] for item in items]
    for label in sorted(set(classes)):
        own = sorted((number for number, each in enumerate(classes) if each == label), key=places.__getitem__)
        tested = round(share * len(own))
        if not 0 < tested < len(own):
            lacking = "training" if tested else "test"
            raise eh.DataError(
                f"class {label} has {len(own):,} of {len(items):,} rows, so that the {lacking} part, with a 'share' of {share} "
                "for testing, would hold none of it. Take another 'share', more 'positives', or a larger table; numbers that "
                "are no classes have a decimal point"
            )
        chosen.update(own[:tested])
    return [number in chosen for number in range(len(items))]


def _place_of(key: Any) -> float:
    """Return a number from 0 to 1 that depends on the key alone."""
    content = hashlib.blake2b(str(key).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(content, "big") / 2**64


def _standardised(items: Sequence[eh.Item], tests: Sequence[bool]) -> list[eh.Item]:
    """Return the items with features and target scaled by those of the training part; items without features as they are."""
    if not all("features" in item.fields for item in items) or all(tests):
        return list(items)
    import numpy as np

    training = ~np.array(tests)
    changed = [("features", np.array([item.fields["features"] for item in items], float))]
    if all(type(item.fields.get("target")) is float for item in items):
        changed.append(("target", np.array([item.fields["target"] for item in items])))
    columns = {name: _scaled(values, values[training]).tolist() for name, values in changed}
    rows = zip(*columns.values(), strict=True)
    return [
        dataclasses.replace(item, fields={**item.fields, **dict(zip(columns, row, strict=True))})
        for item, row in zip(items, rows, strict=True)
    ]


def _scaled(values: Any, training: Any) -> Any:
    """Return values with the mean 0 and the standard deviation 1 over the training rows; a constant column becomes 0."""
    spread = training.std(0)
    return (values - training.mean(0)) / (spread + (spread == 0))
