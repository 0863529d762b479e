"""Data sets and transforms keep the contract of plugins."""

from __future__ import annotations

from pathlib import Path

import pytest
from evalharness_data.files import Files
from evalharness_data.transforms import FirstLine, Strip

import evalharness as eh
from evalharness.testing import check_dataset, check_transform


@pytest.mark.parametrize("name", ["q.jsonl", "q.csv"])
def test_files_keep_the_contract(name: str, tmp_path: Path) -> None:
    text = {"q.jsonl": '{"id": "a"}\n{broken\n', "q.csv": "id,text\na,b\nc\n"}[name]
    (tmp_path / name).write_text(text)
    assert check_dataset(Files(path=eh.File(str(tmp_path / name))))


@pytest.mark.parametrize("transform", [Strip, FirstLine])
def test_transforms_keep_the_contract(transform: type[eh.Transform]) -> None:
    assert check_transform(transform)
