"""The checks of transforms and of data sets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from evalharness.contract import Dataset, Item, Transform
from evalharness.testing.every import EVERY, made, title
from evalharness.testing.outcomes import Broken, Outcome, raise_failed, run_checks
from evalharness.testing.samples import ROWS

TEXTS = tuple(response for _, response, *_ in ROWS)
ITEMS = 1000


def check_transform(transform: Transform | type[Transform], texts: Sequence[str] = TEXTS) -> list[Outcome]:
    """Check that a transform keeps its contract; return the outcome of each check. Raises ConformanceError."""
    return raise_failed(transform_outcomes(transform, texts))


def transform_outcomes(transform: Transform | type[Transform], texts: Sequence[str] = TEXTS) -> list[Outcome]:
    """Return the outcome of every check of a transform."""
    built = made("transform", transform)
    return run_checks(title(built), EVERY, built) + run_checks(title(built), (returns_a_text_each_time,), (built, texts))


def returns_a_text_each_time(subject: tuple[Transform, Sequence[str]]) -> None:
    transform, texts = subject
    for text in texts:
        try:
            once, twice = transform.apply(text), transform.apply(text)
        except Exception as error:  # a stranger's code may fail in any way
            mend = "give every text a text back, also the empty one"
            raise Broken("every text is transformed", f"{type(error).__name__}: {error}, for {text!r}", mend) from error
        if not isinstance(once, str):
            raise Broken(
                "apply returns a text", f"{once!r} for {text!r}", "return the text unchanged where there is nothing to do"
            )
        if once != twice:
            raise Broken("the same text gives the same result", f"{once!r}, then {twice!r}", "leave out chance and memory")


def check_dataset(dataset: Dataset | type[Dataset]) -> list[Outcome]:
    """Check that a data set keeps its contract on its first 1,000 items; return the outcome of each check.

    Raises ConformanceError.
    """
    return raise_failed(dataset_outcomes(dataset))


def dataset_outcomes(dataset: Dataset | type[Dataset]) -> list[Outcome]:
    """Return the outcome of every check of a data set."""
    built = made("dataset", dataset)
    return run_checks(title(built), EVERY, built) + run_checks(title(built), DATASET_CHECKS, built)


def yields_items_one_by_one(dataset: Dataset) -> None:
    items = dataset.items()
    if isinstance(items, (list, tuple)):
        raise Broken(
            "items yields one at a time, since data may be larger than memory", type(items).__name__, "write it with yield"
        )
    for item in itertools.islice(items, ITEMS):
        if not isinstance(item, Item):
            raise Broken("every item is an Item", repr(item), "yield evalharness.Item(fields, where)")
        if not item.where:
            raise Broken("every item says where it stands", repr(item), 'give where="file:line"')
        if not all(isinstance(name, str) for name in item.fields):
            raise Broken("field names are texts", repr(item.fields), "convert the names")


def yields_the_same_items_again(dataset: Dataset) -> None:
    first, second = (list(itertools.islice(dataset.items(), ITEMS)) for _ in range(2))
    if first != second:
        row = next(
            (row for row, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), min(len(first), len(second))
        )
        raise Broken("items come in a fixed order, every time", f"item {row + 1} differs", "open the source anew in items()")


def has_a_stable_digest(dataset: Dataset) -> None:
    digests = dataset.digest(), dataset.digest()
    if not isinstance(digests[0], str) or not digests[0] or digests[0] != digests[1]:
        raise Broken("digest is a text that follows from the content", repr(digests), "digest the content, not times or paths")


DATASET_CHECKS = (yields_items_one_by_one, yields_the_same_items_again, has_a_stable_digest)
