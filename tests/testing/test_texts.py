"""The kit on transforms and data sets: what it passes, and what it catches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from evalharness import Dataset, Item, Transform, digest
from evalharness.testing import check_dataset, check_transform
from evalharness.testing.texts import dataset_outcomes, transform_outcomes

COUNTER = itertools.count()


class Lower(Transform):
    """Lower-cases a text."""

    name = "lower"

    def apply(self, text: str) -> str:
        return text.lower()


class FirstWord(Lower):
    """Keeps the first word, and fails where there is none."""

    def apply(self, text: str) -> str:
        return text.split()[0]


class Nothing(Lower):
    """Returns None for an empty text."""

    def apply(self, text: str) -> Any:
        return text or None


class Counting(Lower):
    """Numbers its results."""

    def apply(self, text: str) -> str:
        return f"{next(COUNTER)} {text}"


class Three(Dataset):
    """Three invented items."""

    name = "three"

    def items(self) -> Iterator[Item]:
        for number in range(3):
            yield Item({"id": str(number)}, f"three:{number + 1}")

    def digest(self) -> str:
        return digest([self.name])


class AllAtOnce(Three):
    """Builds a list."""

    def items(self) -> Any:
        return list(super().items())


class BareFields(Three):
    """Yields dictionaries."""

    def items(self) -> Any:
        yield {"id": "1"}


class Nowhere(Three):
    """Does not say where an item stands."""

    def items(self) -> Iterator[Item]:
        yield Item({"id": "1"}, "")


class Growing(Three):
    """Has another item each time."""

    def items(self) -> Iterator[Item]:
        yield Item({"id": str(next(COUNTER))}, "growing:1")


class Undigested(Three):
    """Has another digest each time."""

    def digest(self) -> str:
        return str(next(COUNTER))


def failed(outcomes: Any) -> dict[str, str]:
    return {outcome.check: outcome.message for outcome in outcomes if outcome.status == "failed"}


def test_what_keeps_the_contract_passes() -> None:
    assert not failed(check_transform(Lower))
    assert not failed(check_dataset(Three))


@pytest.mark.parametrize(
    ("transform", "message"),
    [(FirstWord, "IndexError: list index out of range, for ''"), (Nothing, "None for ''"), (Counting, "leave out chance")],
)
def test_each_breach_of_a_transform_is_caught(transform: Any, message: str) -> None:
    assert message in failed(transform_outcomes(transform))["returns a text each time"]


@pytest.mark.parametrize(
    ("dataset", "check", "message"),
    [
        (AllAtOnce, "yields items one by one", "write it with yield"),
        (BareFields, "yields items one by one", "every item is an Item"),
        (Nowhere, "yields items one by one", "where it stands"),
        (Growing, "yields the same items again", "item 1 differs"),
        (Undigested, "has a stable digest", "follows from the content"),
    ],
)
def test_each_breach_of_a_data_set_is_caught(dataset: Any, check: str, message: str) -> None:
    assert message in failed(dataset_outcomes(dataset))[check]
