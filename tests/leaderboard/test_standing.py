"""Standings: order, rank sets, coverage and bounds, and who is left unranked and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.board import write_board as write_generated
from evalharness.leaderboard import Board, RankRule, Standing, read_board, standings
from evalharness.leaderboard.bradley_terry import strength_bounds, strengths
from evalharness.leaderboard.standing import readable
from evalharness.leaderboard.submission import add
from evalharness.leaderboard.wins import games, win_bounds, win_rates
from evalharness.results import Record, read_record
from evalharness.results.replicates import read_replicates, write_replicates
from evalharness.scoring import Score
from evalharness.scoring.paired import difference, spreads
from evalharness.scoring.ranks import rank, tie_groups
from tests.leaderboard.conftest import BOARD, TASK, answers, run, write_board, write_task

RULES = ("by", "mean_win_rate", "bradley_terry")


def ruled(board: Board, kind: Any, *scores: str) -> Board:
    columns = tuple(column for column in board.columns if column.score in (scores or ("token_f1",)))
    return dataclasses.replace(board, rank=RankRule(kind=kind, columns=columns))


def rows(board: Board) -> dict[str, Standing]:
    return {row.system: row for row in standings(board).rows}


def rewrite(folder: Path, change: Callable[[Score], dict[str, Any]], *names: str) -> None:
    """Change scores of a record."""
    record: Record = read_record(folder)
    scores = {
        name: dataclasses.replace(score, **change(score)) if not names or name in names else score
        for name, score in record.scores.items()
    }
    (folder / "record.json").write_text(dataclasses.replace(record, scores=scores).to_json(), encoding="utf-8")


@pytest.mark.parametrize("kind", RULES)
def test_systems_stand_in_order_with_their_rank_sets(filled: Path, kind: str) -> None:
    found = standings(ruled(read_board(filled), kind))
    assert (found.rows[0].system, found.rows[-1].system) == ("strong", "lame")
    by_name = {row.system: row for row in found.rows}
    assert (by_name["strong"].rank_low, by_name["strong"].rank_high, by_name["strong"].letters) == (1, 1, "a")
    assert (by_name["lame"].rank_low, by_name["lame"].rank_high) == (4, 4)
    twins = by_name["weak"], by_name["twin"]
    assert {(row.rank_low, row.rank_high, row.letters) for row in twins} == {(2, 3, "b")}
    assert all(row.low < row.value < row.high and row.coverage == 1 and not row.marks for row in found.rows)


def test_by_one_score_the_row_is_the_score_and_the_ranks_those_of_its_replicates(filled: Path) -> None:
    board = read_board(filled)
    found = rows(board)
    scores = [system.submissions["sums"].record.scores["token_f1"] for system in board.systems]
    for system, score in zip(board.systems, scores, strict=True):
        row = found[system.name]
        assert (row.value, row.low, row.high) == (score.value, score.low, score.high)
    replicates = np.stack([system.submissions["sums"].replicates()["token_f1"] for system in board.systems])
    expected = rank(np.array([score.value for score in scores]), replicates, better="higher", df=29)
    assert [found[system.name].rank_low for system in board.systems] == list(expected.low)
    assert [found[system.name].rank_high for system in board.systems] == list(expected.high)


def test_spreads_give_the_paired_difference_of_two_records(filled: Path) -> None:
    board = read_board(filled)
    found = standings(board)
    for title in ("token_f1", "bleu"):
        spread = found.spreads[title]
        one, other = (system.submissions["sums"] for system in board.systems[:2])
        scores = one.record.scores[title], other.record.scores[title]
        paired = difference(*scores, (one.replicates()[title], other.replicates()[title]))
        assert spread[0, 1] == pytest.approx(paired.se, rel=1e-6)
        assert spread[1, 0] == spread[0, 1]
    assert list(found.spreads) == ["exact_match", "token_f1", "bleu"]
    with pytest.raises(KeyError):
        found.spreads["absent"]


@settings(max_examples=25)
@given(st.integers(2, 6), st.integers(0, 2**32), st.booleans())
def test_adding_a_system_never_changes_the_verdict_on_two_others(systems: int, seed: int, undefined: bool) -> None:
    generator = np.random.default_rng(seed)
    table = generator.normal(0.5, 0.05, (systems + 1, 1000)).astype(np.float32)
    if undefined:
        table[generator.integers(0, systems + 1), :5] = np.nan
        table[-1, generator.integers(0, 1000, 300)] = np.nan
    before, after = spreads(table[:-1]), spreads(table)
    assert after[:-1, :-1] == pytest.approx(before, rel=1e-9, nan_ok=True)


def test_adding_a_system_to_a_board_leaves_the_other_pairs_as_they_were(filled: Path) -> None:
    board = read_board(filled)
    fewer = dataclasses.replace(board, systems=board.systems[1:])
    for title in ("exact_match", "token_f1", "bleu"):
        assert standings(board).spreads[title][1:, 1:] == pytest.approx(standings(fewer).spreads[title], rel=1e-9)


def test_what_is_not_covered_is_marked_and_bounded(board: Path) -> None:
    lost = {"samples": 81, "errors": 4, "unmeasured": {"no reference": 5}, "value": 0.5, "bounds": None}
    rewrite(board / "records" / "strong", lambda score: lost, "token_f1")
    row = rows(read_board(board))["strong"]
    assert row.coverage == 0.9
    assert row.bounds == pytest.approx((0.45, 0.55))
    assert "measured on 81 of 90 samples (5 no reference, 4 lost to errors)" in row.marks


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"generator": "poisson-table/0"}, "its replicates of token_f1 are not aligned with those of the others"),
        ({"signature": "other"}, "token_f1 was measured differently: other, that of the others token_f1|normalise:squad"),
        ({"groups": 4}, "token_f1 is over fewer than 5 groups"),
        ({"value": None, "reason": "nothing was measured"}, "no value of token_f1: nothing was measured"),
    ],
)
def test_who_cannot_be_compared_is_last_unranked_with_the_reason(board: Path, change: dict[str, Any], reason: str) -> None:
    rewrite(board / "records" / "strong", lambda score: change, "token_f1")
    found = standings(read_board(board)).rows
    assert found[-1].system == "strong"
    assert (found[-1].rank_low, found[-1].rank_high, found[-1].letters) == (None, None, "")
    assert found[-1].marks[0] == f"not ranked: {reason}"
    assert [(row.rank_low, row.rank_high) for row in found[:3]] == [(1, 2), (1, 2), (3, 3)]


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function that makes a board of `better`, which is complete, and of systems that lost their wrong answers."""
    root = tmp_path_factory.mktemp("lossy")
    task = write_task(root / "tasks")
    given = {"better": answers(0.8, 1), "half": answers(0.5, 2), "half2": answers(0.5, 3), "weak": answers(0.4, 4)}
    for name in ("half", "half2"):
        given[name] = {sample: text for sample, text in given[name].items() if text != "a sum of sorts"}
    made = {name: run(task, name, texts, root / name) for name, texts in given.items()}

    def board(folder: Path, *names: str) -> Path:
        written = write_board(folder, BOARD.replace("[weak]", "[]"))
        for name in names:
            add(written, made[name])
        return written

    return board


@pytest.mark.parametrize("kind", RULES)
def test_losing_samples_wins_nothing_and_pushes_nobody_out(tmp_path: Path, lossy: Callable[..., Path], kind: str) -> None:
    two = standings(ruled(read_board(lossy(tmp_path / "two", "better", "half", "weak")), kind)).rows
    three = standings(ruled(read_board(lossy(tmp_path / "three", "better", "half", "half2", "weak")), kind)).rows
    for found in ({row.system: row for row in two}, {row.system: row for row in three}):
        assert found["better"].rank_low == 1
        assert found["half"].rank_high > 1
        assert any("lost to errors" in mark for mark in found["half"].marks)
    assert (two[0].system, three[0].system) == ("better", "better")


def test_a_system_over_other_samples_is_ranked_with_its_bounds_and_a_mark(tmp_path: Path, lossy: Callable[..., Path]) -> None:
    by_two = rows(read_board(lossy(tmp_path / "two", "better", "half")))
    board = read_board(lossy(tmp_path / "three", "better", "half", "half2"))
    found = rows(board)
    half, score = found["half"], board.systems[1].submissions["sums"].record.scores["token_f1"]
    assert f"over other samples: token_f1 on {score.samples} of 90, the fullest system on 90 of 90" in half.marks
    assert found["better"].marks == ()
    assert half.bounds == tuple(score.bounds)
    assert half.value == 1 > found["better"].value > half.bounds[0]
    assert (by_two["better"].rank_low, by_two["half"].rank_low) == (found["better"].rank_low, found["half"].rank_low) == (1, 1)


def test_a_second_system_that_lost_samples_changes_nothing_between_two_others(tmp_path: Path, lossy: Callable[..., Path]) -> None:
    found = [
        read_board(lossy(tmp_path / "two", "better", "half")),
        read_board(lossy(tmp_path / "three", "better", "half", "half2")),
    ]
    two, three = (standings(board) for board in found)
    assert three.spreads["token_f1"][:2, :2] == pytest.approx(two.spreads["token_f1"], rel=1e-9)
    told = [{row.system: (row.value, row.low, row.high, row.bounds, row.marks) for row in each.rows} for each in (two, three)]
    assert told[0].items() <= told[1].items()


def test_a_column_that_systems_have_over_samples_of_their_own_ranks_them_all(board: Path) -> None:
    for number, folder in enumerate(sorted((board / "records").iterdir())):
        own = {"fingerprint": f"{number + 1:016x}", "samples": 70 + number, "unmeasured": {"no answer": 20 - number}}
        rewrite(folder, lambda score, own=own: own, "token_f1")
    found = rows(read_board(board))
    assert all(row.rank_low is not None for row in found.values())
    marked = [name for name, row in found.items() if any(mark.startswith("over other samples") for mark in row.marks)]
    assert marked == [name for name in found if name != "weak"]


def test_lost_samples_bound_a_strength_and_a_rate_on_both_sides(filled: Path) -> None:
    played = [games(read_board(filled), column) for column in read_board(filled).columns[:2]]
    none, some = np.zeros((2, 4)), np.array([[0, 0.2, 0, 0], [0, 0.1, 0, 0]])
    for compute, bounded in ((win_rates, win_bounds), (strengths, strength_bounds)):
        plain = compute(played)[:, 0]
        assert bounded(played, none) == pytest.approx(np.stack([plain, plain], axis=1), abs=1e-6)
        low, high = bounded(played, some).T
        assert (low[1] < plain[1] - 0.01, high[1] > plain[1] + 0.01) == (True, True)
        assert low[[0, 2, 3]] == pytest.approx(plain[[0, 2, 3]], abs=1e-6)


def test_undefined_replicates_leave_a_system_unranked(board: Path) -> None:
    path = board / "records" / "strong" / "replicates.npz"
    replicates = read_replicates(path)
    replicates["token_f1"][:11] = np.nan
    write_replicates(path, replicates)
    row = rows(read_board(board))["strong"]
    assert row.marks == ("not ranked: 11 of 1000 replicates of token_f1 are undefined",)


@pytest.mark.parametrize("kind", RULES)
def test_a_record_of_another_task_or_without_its_files_is_marked(board: Path, kind: str) -> None:
    write_task(board, TASK.replace("version: 1", "version: 2"))
    (board / "records" / "weak" / "replicates.npz").unlink()
    (board / "records" / "weak" / "samples.parquet").unlink()
    found = rows(ruled(read_board(board), kind))
    assert all(row.rank_low is None for row in found.values())
    assert found["strong"].marks[0] == "not ranked: it was made with another version of the task"
    assert "it has no replicates.npz" in found["weak"].marks
    assert "its samples are missing, so that nothing can be recomputed" in found["weak"].marks


def test_records_without_texts_are_marked_as_such(empty: Path, runs: dict[str, Path]) -> None:
    add(empty, runs["weak"], texts=False)
    add(empty, runs["twin"])
    found = rows(ruled(read_board(empty), "bradley_terry"))
    assert found["weak"].marks == ("texts left out: recomputable from statistics only",)
    assert found["twin"].marks == ()
    assert (found["weak"].rank_low, found["weak"].rank_high) == (1, 2)


@pytest.mark.parametrize("kind", RULES)
def test_a_board_of_no_system_and_of_one(empty: Path, runs: dict[str, Path], kind: str) -> None:
    assert standings(ruled(read_board(empty), kind)).rows == ()
    add(empty, runs["weak"])
    (row,) = standings(ruled(read_board(empty), kind)).rows
    assert row.system == "weak"
    assert row.rank_low == (1 if kind == "by" else None)


def test_with_fewer_than_five_groups_nobody_is_ranked(board: Path) -> None:
    for folder in (board / "records").iterdir():
        rewrite(folder, lambda score: {"groups": 4})
    found = rows(read_board(board))
    assert {row.marks for row in found.values()} == {("not ranked: token_f1 is over fewer than 5 groups",)}


def test_lower_is_better_for_a_score_that_says_so(filled: Path) -> None:
    board = ruled(read_board(filled), "by")
    (column,) = board.rank.columns
    turned = dataclasses.replace(board, rank=RankRule(kind="by", columns=(dataclasses.replace(column, better="lower"),)))
    found = standings(turned).rows
    assert (found[0].system, found[0].rank_low, found[0].letters) == ("lame", 1, "a")


def test_two_tasks_are_averaged_and_a_system_needs_both(tmp_path: Path, runs: dict[str, Path]) -> None:
    text = "title: Two\ntasks: [task.yaml, other/task.yaml]\nrank: {by: token_f1}\n"
    folder = write_board(tmp_path / "two", text)
    other = write_task(folder / "other", TASK.replace("name: sums", "name: more"))
    for seed, name in enumerate(("weak", "strong")):
        add(folder, runs[name])
        add(folder, run(other, name, answers({"weak": 0.4, "strong": 0.9}[name], 10 + seed), tmp_path / name))
    add(folder, runs["lame"])
    assert sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob("record.json")) == [
        "records/lame/sums", "records/strong/more", "records/strong/sums", "records/weak/more", "records/weak/sums",
    ]  # fmt: skip
    board = read_board(folder)
    found = rows(board)
    strong = next(system for system in board.systems if system.name == "strong").submissions
    values = [strong[task].record.scores["token_f1"].value for task in ("sums", "more")]
    assert found["strong"].value == pytest.approx(np.mean(values))
    draws = np.mean([strong[task].replicates()["token_f1"] for task in ("sums", "more")], axis=0, dtype=np.float64)
    assert (found["strong"].high - found["strong"].low) / 2 == pytest.approx(2.045 * draws.std(ddof=1), rel=1e-3)
    assert found["lame"].marks == ("not ranked: no record on more",)
    assert found["strong"].rank_high == 1


def test_up_to_26_groups_have_letters(tmp_path: Path) -> None:
    board = read_board(write_generated(tmp_path, systems=25, scores=1, samples=600))
    letters = [row.letters for row in standings(board).rows]
    assert letters[0] == "a"
    assert all(text.isalpha() for text in letters)


def test_beyond_26_groups_there_are_no_letters() -> None:
    values = np.linspace(1, 0, 27)
    draws = values[:, None] + np.random.default_rng(0).normal(0, 1e-4, (27, 1000))
    ranking = rank(values, draws, better="higher", df=50)
    assert readable(tie_groups(values.tolist(), ranking, "higher")) == [""] * 27
    assert readable(["a", "ab", "b"]) == ["a", "ab", "b"]
