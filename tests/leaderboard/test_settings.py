"""board.yaml: what it says, and all its faults at once with their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness import registry
from evalharness.errors import FaultsFound
from evalharness.leaderboard.settings import Settings, read_settings
from tests.leaderboard.conftest import BOARD, TASK, write_board, write_task

TWO = """\
title: Two
tasks: [task.yaml, other/task.yaml]
rank: {rank}
"""


def settings(folder: Path, text: str) -> Settings:
    return read_settings(write_board(folder, text) / "board.yaml")


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(FaultsFound) as found:
        settings(folder, text)
    return [str(fault).replace(f"{folder}/", "") for fault in found.value.faults]


def test_a_board_says_title_text_tasks_and_columns(tmp_path: Path) -> None:
    found = settings(tmp_path, BOARD)
    assert (found.title, found.text) == ("Sums", ("A small board.", "It has two paragraphs."))
    assert [task.name for task in found.tasks] == ["sums"]
    assert [column.title for column in found.columns] == ["exact_match", "token_f1", "bleu"]
    assert (found.columns[2].better, found.columns[2].unit, found.columns[2].range) == ("higher", "points", (0, 100))
    assert found.rank.words == "by token_f1"
    assert found.baselines == ("weak",)
    assert found.texts


def test_columns_are_those_named_in_their_order(tmp_path: Path) -> None:
    found = settings(tmp_path, BOARD + "columns: [bleu, exact_match]\n")
    assert [column.score for column in found.columns] == ["bleu", "exact_match"]


def test_all_faults_come_at_once_with_their_places(tmp_path: Path) -> None:
    text = 'titel: x\ntasks: [task.yaml]\nrank: {by: 7}\ncolumns: [token_f2]\ntexts: "no"\nbaselines: weak\n'
    assert faults(tmp_path, text) == [
        "board.yaml:1:1: a board has no key 'titel'. Did you mean 'title'? "
        "It has: title, text, tasks, columns, baselines, texts, rank.",
        "board.yaml:1:1: a board needs the key 'title'",
        "board.yaml:6:12: 'baselines' must be a list of (a string), not 'weak'.",
        "board.yaml:5:8: 'texts' must be true or false, not 'no'.",
        "board.yaml:4:11: no task of the board has a score 'token_f2'. Did you mean 'token_f1'? "
        "They have: exact_match, token_f1, bleu.",
        "board.yaml:3:12: 'a score' must be a string, not 7. Write \"7\" in quotes if the text is meant.",
    ]


def test_a_task_that_is_not_there_is_told_and_scores_are_not_looked_up(tmp_path: Path) -> None:
    text = BOARD.replace("[task.yaml]", "[task.yaml, missing.yaml]") + "columns: [of_the_missing]\n"
    assert faults(tmp_path, text) == [
        "board.yaml:6:20: there is no task file missing.yaml; paths start from the folder of board.yaml"
    ]


@pytest.mark.parametrize(
    ("rank", "told"),
    [
        ("{by: token_f2}", "no task of the board has a score 'token_f2'. Did you mean 'token_f1'?"),
        ("{by: [token_f1, bleu]}", "'by' takes the name of one score"),
        ("{by: token_f1, bradley_terry: [bleu]}", "rank needs one rule"),
        ("{best: token_f1}", "rank has no key 'best'"),
        ("token_f1", "rank must be a mapping"),
        ("{mean_win_rate: []}", "name at least one score"),
        ("{mean_win_rate: [bleu, bleu]}", "'bleu' is named twice"),
    ],
)
def test_a_rule_that_is_none_is_refused(tmp_path: Path, rank: str, told: str) -> None:
    found = faults(tmp_path, BOARD.replace("{by: token_f1}", rank))
    assert any(told in fault for fault in found), found


def test_scores_without_values_per_sample_cannot_be_won_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.installed().entries["metric"]["token_f1"].cls, "pool", "rows")
    assert faults(tmp_path, BOARD.replace("{by: token_f1}", "{bradley_terry: [exact_match, token_f1]}")) == [
        "board.yaml:7:23: 'token_f1' has no values per sample, which wins are counted by; rank by another score"
    ]
    assert settings(tmp_path, BOARD).rank.kind == "by"


def test_a_fault_of_a_task_keeps_its_own_place(tmp_path: Path) -> None:
    write_board(tmp_path, BOARD, TASK.replace("token_f1", "token_f2"))
    with pytest.raises(FaultsFound, match=r"task\.yaml:9:\d+: no metric is called 'token_f2'"):
        read_settings(tmp_path / "board.yaml")


def test_with_several_tasks_a_bare_score_stands_for_all(tmp_path: Path) -> None:
    write_task(tmp_path / "other", TASK.replace("name: sums", "name: more").replace(", bleu]", "]"))
    found = settings(tmp_path, TWO.replace("{rank}", "{by: token_f1}"))
    assert [column.title for column in found.rank.columns] == ["sums/token_f1", "more/token_f1"]
    assert found.rank.words == "by the mean of sums/token_f1, more/token_f1"
    assert len(found.columns) == 5
    one = settings(tmp_path, TWO.replace("{rank}", "{bradley_terry: [more/token_f1]}"))
    assert [(column.task, column.score) for column in one.rank.columns] == [("more", "token_f1")]
    assert one.rank.words == "by Bradley-Terry strength over samples, in more/token_f1"


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    write_task(tmp_path / "other")
    assert faults(tmp_path, TWO.replace("{rank}", "{by: bleu}")) == [
        "board.yaml:2:20: two tasks are called 'sums'; a board names each task once"
    ]
