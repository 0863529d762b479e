"""Values by sample: repeats are averaged over those that are measured, whoever reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from evalharness.errors import DataError
from evalharness.results.values import read_values


def write_samples(path: Path, ids: list[str], values: list[float | None]) -> Path:
    scores = pyarrow.StructArray.from_arrays([pyarrow.array(values, pyarrow.float64())], ["rouge.rougeL"])
    parquet.write_table(pyarrow.table({"id": ids, "group": [f"g-{name}" for name in ids], "scores": scores}), path)
    return path


def test_repeats_of_a_sample_are_averaged_over_those_that_are_measured(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "s.parquet", ["b", "b", "a", "a", "c", "c"], [0.25, None, 1.0, 0.5, None, None])
    found = read_values(path, ["rouge.rougeL"])
    assert (found.ids.tolist(), found.groups.tolist()) == (["a", "b", "c"], ["g-a", "g-b", "g-c"])
    assert found.by_score["rouge.rougeL"].tolist()[:2] == [0.75, 0.25]
    assert np.isnan(found.by_score["rouge.rougeL"][2])


def test_some_of_the_samples_can_be_taken(tmp_path: Path) -> None:
    found = read_values(write_samples(tmp_path / "s.parquet", ["b", "a"], [0.25, 1.0]), ["rouge.rougeL"]).take(np.array([1]))
    assert (found.ids.tolist(), found.groups.tolist(), found.by_score["rouge.rougeL"].tolist()) == (["b"], ["g-b"], [0.25])


def test_a_file_without_the_score_says_so(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "s.parquet", ["a"], [1.0])
    with pytest.raises(DataError, match=r"s\.parquet has no values of bleu by sample"):
        read_values(path, ["bleu"])
    with pytest.raises(DataError, match="has no values"):
        read_values(tmp_path / "absent.parquet", ["bleu"])
    assert read_values(path, []).by_score == {}
