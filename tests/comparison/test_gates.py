"""Gates: by the interval, not by the point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import evalharness as eh
from evalharness.comparison import summaries
from evalharness.comparison.gates import Gate, not_worse, reaches, thresholds
from evalharness.errors import UsageError
from evalharness.scoring import Score
from tests.comparison.conftest import Make, answers

Runs = dict[str, Path]


def test_a_better_system_passes_and_a_worse_one_fails(runs: Runs) -> None:
    (passed,) = not_worse(eh.compare(runs["weak"], runs["strong"]), "exact_match", 2)
    (failed,) = not_worse(eh.compare(runs["strong"], runs["weak"]), "exact_match", 2)
    assert (passed.passed, failed.passed) == (True, False)
    assert passed.name == "exact_match not worse by 2.0 points"
    assert failed.message.startswith("exact_match may be worse by up to ")


def test_as_good_by_the_point_does_not_pass_where_the_interval_is_wide(runs: Runs) -> None:
    comparison = eh.compare(runs["weak"], runs["twin"])
    low = comparison.pairs[0].line("exact_match").difference.low
    assert low < -0.005
    assert not not_worse(comparison, "exact_match", 0.5)[0].passed
    assert not_worse(comparison, "exact_match", 100 * (-low + 0.001))[0].passed


def test_the_same_system_passes_every_gate(runs: Runs) -> None:
    gates = not_worse(eh.compare(runs["weak"], runs["weak"]), None, None)
    assert [gate.passed for gate in gates] == [True, True, True]


def test_every_later_run_is_held_against_the_first(runs: Runs) -> None:
    gates = not_worse(eh.compare(runs["weak"], runs["strong"], runs["lame"]), "exact_match", None)
    assert [(gate.system, gate.passed) for gate in gates] == [("strong", True), ("lame", False)]


def test_what_cannot_be_compared_does_not_pass(runs: Runs, make: Make) -> None:
    comparison = eh.compare(runs["weak"], make("empty", {"q000": "the sum of it is 0"}))
    (gate,) = not_worse(comparison, "exact_match", 10)
    assert not gate.passed
    assert "cannot be compared: fewer than 5 groups" in gate.message


def test_a_margin_below_zero_and_an_unknown_score_are_told(runs: Runs) -> None:
    comparison = eh.compare(runs["weak"], runs["twin"])
    for margin in (-0.1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="must be a number from 0"):
            not_worse(comparison, None, margin)
    with pytest.raises(UsageError, match="no score is called 'f1'"):
        not_worse(comparison, "f1", None)


@pytest.mark.parametrize(
    ("better", "value", "limit", "passed"),
    [("higher", 0.5, 0.4, True), ("higher", 0.5, 0.6, False), ("lower", 0.5, 0.6, True), ("lower", 0.5, 0.4, False)],
)
def test_under_means_worse_in_either_direction(better: str, value: float, limit: float, passed: bool) -> None:
    score = Score(value=value, better=better)  # type: ignore[arg-type]
    (gate,) = reaches("s", {"wer": score}, {"wer": limit})
    assert gate.passed is passed


def test_a_score_without_a_value_does_not_pass() -> None:
    (gate,) = reaches("s", {"f1": Score(value=None, reason="nothing was measured")}, {"f1": 0.0})
    assert gate == Gate("s", "f1 not under 0", False, "f1 has no value: nothing was measured")


@pytest.mark.parametrize("written", ["f1", "f1=", "=0.4", "f1=high", "f1=nan"])
def test_a_threshold_that_is_none_is_told(written: str) -> None:
    with pytest.raises(UsageError, match="is not SCORE=NUMBER"):
        thresholds([written], ["f1"])


def test_a_threshold_of_an_unknown_score_is_told() -> None:
    with pytest.raises(UsageError, match="no score is called 'f2'"):
        thresholds(["f2=0.5"], ["f1"])


def test_junit_counts_failures_and_holds_any_text(runs: Runs) -> None:
    comparison = eh.compare(runs["weak"], runs["strong"])
    gates = [Gate("a<b>&\x00\ud800", 'x"y', False, "bad\x07"), Gate("b", "fine", True, "ok")]
    suite = ElementTree.fromstring(summaries.junit(comparison, gates).encode())[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.find("failure") is not None for case in suite] == [True, False]
    assert suite[0].get("classname", "").startswith("a<b>&")


def test_junit_without_gates_has_a_case_a_score_which_fails_where_it_is_worse(runs: Runs) -> None:
    suite = ElementTree.fromstring(summaries.junit(eh.compare(runs["strong"], runs["lame"]), []).encode())[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "3")


def test_markdown_shows_gates_and_a_row_a_score(runs: Runs) -> None:
    comparison = eh.compare(runs["weak"], runs["strong"])
    text = summaries.markdown(comparison, [Gate("strong|x", "f1", False, "line\nbreak")])
    assert "- ❌ strong\\|x: f1: line break\n" in text
    rows = [row for row in text.splitlines() if row.startswith("| ✅ |")]
    assert len(rows) == 3
    assert "strong is better by" in rows[0]
    assert all(row.replace("\\|", "").count("|") == 9 for row in rows)


def test_lost_samples_that_could_hide_a_loss_do_not_pass(make: Make, runs: Runs) -> None:
    only_right = {name: text for name, text in answers(0.7, 4).items() if text != "no such thing"}
    comparison = eh.compare(runs["strong"], make("only_right", only_right))
    line = comparison.pairs[0].line("exact_match")
    assert line.b.value == 1.0
    (gate,) = not_worse(comparison, "exact_match", 2)
    assert not gate.passed
    assert "whatever the lost samples were" in gate.message
    text = summaries.markdown(comparison, [gate])
    assert "whatever the lost samples were" in text
    assert "over different samples" in text


def test_open_ranges_are_left_out_of_all_and_need_a_margin_when_named(runs: Runs) -> None:
    comparison = eh.compare(runs["weak"], runs["weak"])
    pair = comparison.pairs[0]
    lines = tuple(replace(line, a=replace(line.a, range=[0, None])) for line in pair.lines)
    opened = replace(comparison, pairs=(replace(pair, lines=lines),))
    assert not_worse(opened, None, None) == []
    with pytest.raises(UsageError, match="the range of 'bleu' is open, so a margin must be named"):
        not_worse(opened, "bleu", None)
    assert not_worse(opened, "bleu", 0.5)[0].passed


def test_a_system_without_any_difference_passes_where_no_interval_can_be_given(runs: Runs) -> None:
    comparison = eh.compare(runs["weak"], runs["weak"])
    pair = comparison.pairs[0]
    lines = tuple(replace(line, difference=replace(line.difference, low=None, high=None)) for line in pair.lines)
    gates = not_worse(replace(comparison, pairs=(replace(pair, lines=lines),)), None, None)
    assert [gate.passed for gate in gates] == [True, True, True]


def test_slices_and_notes_stand_in_the_summary(runs: Runs) -> None:
    text = summaries.markdown(eh.compare(runs["weak"], runs["strong"], by="kind"), [])
    assert "| | kind | score | samples | gain |" in text
    assert sum(line.startswith("| ") and "| even |" in line for line in text.splitlines()) == 3
