"""The data set `part`: a fixed share for testing, and tables standardised by the rest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import evalharness as eh
from evalharness.errors import FaultsFound

DIABETES = {"table": {"source": "sklearn:diabetes"}}
Part = dict[str, tuple[list[float], float]]


def part(name: str, of: object = DIABETES, **options: object) -> Part:
    items = eh.load_dataset("part", of=of, part=name, **options).items()
    return {item.fields["id"]: (item.fields["features"], item.fields["target"]) for item in items}


def test_the_parts_are_disjoint_and_all_there_is() -> None:
    train, test = part("train"), part("test")
    assert not train.keys() & test.keys()
    assert len(train) + len(test) == 442
    assert 0.2 < len(test) / 442 < 0.3
    assert len(part("test", share=0.5)) > len(test)
    assert test.keys() <= part("test", share=0.5).keys()


def test_the_training_part_is_standardised_and_the_test_part_by_it() -> None:
    train, test = part("train"), part("test")
    features = np.array([row for row, _ in train.values()])
    targets = np.array([target for _, target in train.values()])
    np.testing.assert_allclose([features.mean(0), features.std(0)], [np.zeros(10), np.ones(10)], atol=1e-12)
    np.testing.assert_allclose([targets.mean(), targets.std()], [0, 1], atol=1e-12)
    raw = {item.fields["id"]: item.fields for item in eh.load_dataset("table", source="sklearn:diabetes").items()}
    inside = np.array([raw[name]["target"] for name in train])
    name, (_, target) = next(iter(test.items()))
    assert target == pytest.approx((raw[name]["target"] - inside.mean()) / inside.std())


def test_classes_are_not_standardised() -> None:
    assert {target for _, target in part("train", {"table": {"source": "sklearn:breast_cancer"}}).values()} == {0, 1}


@pytest.mark.parametrize(("positives", "tested"), [(0.3, 38), (0.05, 5)])
def test_each_class_has_the_same_share_in_both_parts(positives: float, tested: int) -> None:
    of = {"table": {"source": "sklearn:breast_cancer", "positives": positives}}
    train, test = ([target for _, target in part(name, of).values()] for name in ("train", "test"))
    assert sum(test) == tested
    assert sum(test) / len(test) == pytest.approx(sum(train) / len(train), abs=0.01)


def test_a_class_that_one_part_would_lack_is_refused() -> None:
    of = {"table": {"source": "sklearn:breast_cancer", "positives": 0.005}}
    with pytest.raises(eh.DataError, match=r"class 1 has 2 of 359 rows, so that the test part, .* Take another 'share'"):
        part("test", of, share=0.2)


def test_texts_are_parted_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"id": f"t{n}", "text": f"text {n}"}) + "\n" for n in range(40)))
    parts = [list(eh.load_dataset("part", of={"files": {"path": str(path)}}, part=name).items()) for name in ("train", "test")]
    assert sorted(item.fields["id"] for each in parts for item in each) == sorted(f"t{n}" for n in range(40))
    assert parts[1][0].where.startswith(str(path))


def test_a_constant_column_becomes_zero(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"id": f"r{n}", "features": [1.0, float(n)], "target": float(n)}) + "\n" for n in range(20))
    )
    assert {row[0] for row, _ in part("train", {"files": {"path": str(path)}}).values()} == {0.0}


def test_digests_tell_parts_apart() -> None:
    digests = {
        eh.load_dataset("part", of=DIABETES, part=name, share=share).digest()
        for name in ("train", "test")
        for share in (0.2, 0.3)
    }
    assert len(digests) == 4


def test_a_share_that_leaves_no_part_is_refused() -> None:
    with pytest.raises(FaultsFound, match="'share' must be between 0 and 1, not 1"):
        part("test", share=1)
