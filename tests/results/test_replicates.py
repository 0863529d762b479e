"""The replicates file: equal arrays give equal bytes, and what is no such file is explained."""

from __future__ import annotations

import time
from pathlib import Path

import numpy
import pytest

from evalharness.errors import DataError
from evalharness.results.replicates import read_replicates, write_replicates

ARRAYS = {
    "rouge.rouge1": numpy.array([0.5, numpy.nan, numpy.inf], numpy.float32),
    "bleu": numpy.linspace(0, 1, 1000, dtype=numpy.float32),
    "größe": numpy.empty(0, numpy.float32),
}


def test_equal_arrays_give_equal_bytes_whatever_the_order_and_the_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_replicates(tmp_path / "first", ARRAYS)
    later = time.localtime(time.time() + 100_000)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    write_replicates(tmp_path / "second", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_replicates_come_back_as_they_were(tmp_path: Path) -> None:
    write_replicates(tmp_path / "file", ARRAYS)
    found = read_replicates(tmp_path / "file")
    assert list(found) == sorted(ARRAYS)
    for name, values in ARRAYS.items():
        assert found[name].dtype == numpy.float32
        numpy.testing.assert_array_equal(found[name], values)


def test_no_replicates_are_a_file_of_none(tmp_path: Path) -> None:
    write_replicates(tmp_path / "file", {})
    assert read_replicates(tmp_path / "file") == {}


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken", None])
def test_what_holds_no_replicates_is_explained(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "replicates.npz"
    if content is None:
        with path.open("wb") as file:
            numpy.save(file, ARRAYS["bleu"])
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"replicates\.npz holds no replicates"):
        read_replicates(path)


def test_arrays_that_are_no_plain_numbers_are_refused(tmp_path: Path) -> None:
    strange = numpy.array([{"a": 1}], object), numpy.asfortranarray(numpy.ones((2, 2)))
    for number, array in enumerate(strange):
        numpy.savez(tmp_path / f"{number}.npz", bleu=array)
        with pytest.raises(DataError, match="an array of objects, or in Fortran's order"):
            read_replicates(tmp_path / f"{number}.npz")


def test_what_is_read_may_be_changed(tmp_path: Path) -> None:
    write_replicates(tmp_path / "file", ARRAYS)
    read_replicates(tmp_path / "file")["bleu"][0] = 7
    assert read_replicates(tmp_path / "file")["bleu"][0] == 0
