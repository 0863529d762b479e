"""Building a site: whole or not at all, and never over anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness.errors import UsageError
from evalharness.leaderboard import site
from evalharness.leaderboard.folders import differences, whole_folder
from evalharness.leaderboard.publishing import build_site


def test_a_site_is_built_beside_its_records_or_where_it_is_wanted(board: Path, tmp_path: Path) -> None:
    assert build_site(board) == board / "site"
    assert build_site(board, tmp_path / "deep" / "elsewhere") == tmp_path / "deep" / "elsewhere"
    assert differences(board / "site", tmp_path / "deep" / "elsewhere") == []
    assert (board / "site" / "index.html").is_file()


def test_building_again_replaces_the_site_and_leaves_nothing_beside_it(board: Path) -> None:
    build_site(board)
    before = sorted(path.name for path in board.iterdir())
    build_site(board)
    assert sorted(path.name for path in board.iterdir()) == before


@pytest.mark.parametrize("name", ["notes.txt", "index.html"])
def test_a_folder_that_holds_other_files_is_left_alone(board: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="left alone"):
        build_site(board, tmp_path / "home")
    assert (tmp_path / "home" / name).read_text(encoding="utf-8") == "mine"
    with pytest.raises(UsageError, match="left alone"):
        build_site(board, tmp_path / "home" / name)


def test_a_site_with_a_strange_file_in_it_is_left_alone(board: Path) -> None:
    build_site(board)
    (board / "site" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="left alone"):
        build_site(board)


def test_a_build_that_fails_leaves_the_old_site(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_site(board)
    before = {path: path.read_bytes() for path in (board / "site").rglob("*") if path.is_file()}

    def fails(board: object, out: Path) -> None:
        (out / "half.html").write_text("", encoding="utf-8")
        raise RuntimeError("broken")

    monkeypatch.setattr(site, "build", fails)
    with pytest.raises(RuntimeError, match="broken"):
        build_site(board)
    assert {path: path.read_bytes() for path in (board / "site").rglob("*") if path.is_file()} == before
    assert not [path for path in board.iterdir() if path.name.startswith(".")]


def test_a_folder_that_is_filled_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "target"
    for text in ("one", "two"):
        with whole_folder(target) as folder:
            (folder / text).write_text(text, encoding="utf-8")
    assert [path.name for path in target.iterdir()] == ["two"]
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
