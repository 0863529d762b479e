"""Checking a board: every record, its place, and whether the site is what the records make."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evalharness.errors import FaultsFound, UsageError
from evalharness.leaderboard.checking import check_board
from evalharness.leaderboard.publishing import build_site
from tests.leaderboard.conftest import BOARD, TASK, write_task

ROOT = Path(__file__).parent.parent.parent


def told(board: Path) -> list[str]:
    return [str(fault).replace(str(board), "BOARD") for fault in check_board(board)]


@pytest.fixture
def built(board: Path) -> Path:
    build_site(board)
    return board


def test_a_board_in_order_has_no_fault(built: Path) -> None:
    assert told(built) == []


def test_a_site_that_is_missing_or_out_of_date_is_told(board: Path) -> None:
    again = "build it: evalharness leaderboard build BOARD"
    assert told(board) == [f"BOARD/site: there is no site; {again}"]
    front = build_site(board) / "index.html"
    front.write_text(front.read_text(encoding="utf-8") + " ", encoding="utf-8")
    (board / "site" / "extra.html").write_text("", encoding="utf-8")
    assert told(board) == [
        f"BOARD/site: it is not what its records make: extra.html does not belong there, index.html is not up to date; {again}"
    ]


def test_a_record_that_was_taken_away_shows_in_the_site(built: Path) -> None:
    shutil.rmtree(built / "records" / "lame")
    (fault,) = told(built)
    assert "it is not what its records make" in fault


def test_records_are_checked_as_they_are_when_added(built: Path) -> None:
    record = built / "records" / "twin" / "record.json"
    record.write_text(record.read_text(encoding="utf-8").replace('"as_worst": 0', '"as_worst": 3'), encoding="utf-8")
    found = told(built)
    assert (
        len([fault for fault in found if fault.startswith("BOARD/records/twin: ") and "as_worst is 3 in the record" in fault])
        == 3
    )


def test_a_record_in_another_systems_folder_is_told(built: Path) -> None:
    (built / "records" / "twin").rename(built / "records" / "elsewhere")
    assert "BOARD/records/elsewhere: the record of 'twin' belongs in BOARD/records/twin" in told(built)


def test_two_records_of_one_system_and_a_broken_one_are_told(built: Path) -> None:
    shutil.copytree(built / "records" / "twin", built / "records" / "zwilling")
    (built / "records" / "lame" / "record.json").write_text("[]", encoding="utf-8")
    found = told(built)
    double = "zwilling/record.json: the system 'twin' has a record of 'sums' already, in BOARD/records/twin"
    assert any(double in fault for fault in found)
    assert any(fault.startswith("BOARD/records/lame/record.json: cannot be used") for fault in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"limit": null', '"limit": "x"', "dataset.limit is 'x', not a whole number from 0"),
        ('"samples": 90', '"samples": "x"', "dataset.samples is 'x', not a whole number from 0"),
        ('"name": "sums"', '"name": ["a"]', "task.name is ['a'], not a string"),
        ('"unmeasured": {}', '"unmeasured": ["x"]', "scores.exact_match.unmeasured is ['x'], not a mapping"),
        ('"value": 0', '"value": "x", "samples": 0', "scores.exact_match.value is 'x', not a number"),
    ],
)
def test_a_damaged_record_is_a_fault_of_its_own_and_the_others_are_checked(built: Path, old: str, new: str, said: str) -> None:
    damaged, other = (built / "records" / name / "record.json" for name in ("lame", "twin"))
    damaged.write_text(damaged.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    other.write_text(other.read_text(encoding="utf-8").replace('"as_worst": 0', '"as_worst": 3'), encoding="utf-8")
    found = told(built)
    mended = f"BOARD/records/lame/record.json is damaged: {said}. Run its task again."
    assert f"BOARD/records/lame/record.json: cannot be used: {mended}" in found
    assert any(fault.startswith("BOARD/records/twin: ") for fault in found)
    with pytest.raises(FaultsFound, match=r"records/lame/record\.json: cannot be used"):
        build_site(built)


def test_texts_that_a_board_forbids_are_told(board: Path) -> None:
    build_site(board)
    (board / "board.yaml").write_text(BOARD + "texts: false\n", encoding="utf-8")
    with pytest.raises(UsageError, match="forbids texts"):
        build_site(board)
    found = told(board)
    assert len([fault for fault in found if "it holds texts, which board.yaml forbids" in fault]) == 4


def test_a_baseline_without_a_record_is_told(board: Path) -> None:
    (board / "board.yaml").write_text(BOARD.replace("[weak]", "[weal]"), encoding="utf-8")
    build_site(board)
    assert told(board) == ["BOARD/board.yaml: baselines names 'weal', which has no record. Did you mean 'weak'?"]


def test_a_task_that_changed_refuses_all_records_of_the_old_one(board: Path) -> None:
    write_task(board, TASK.replace("failures: worst", "").replace("version: 1", "version: 2"))
    build_site(board)
    found = told(board)
    assert len([fault for fault in found if "its task differs from the board's in version" in fault]) == 4


@pytest.mark.parametrize("name", ["rag_qa", "losses"])
def test_the_boards_of_this_repository_are_in_order_with_their_sites(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert told(Path("leaderboards", name)) == []
