"""Verdicts in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalharness.comparison.pairs import Line, judged
from evalharness.comparison.words import amount, verdict
from evalharness.scoring import Score
from evalharness.scoring.families import holm
from evalharness.scoring.paired import Difference

SCORE = Score(value=0.5, range=[0, 1], samples=200, groups=200)
SHOWN = Difference(value=0.021, low=0.008, high=0.034, p=0.002, se=0.0066, df=199, groups=200)
NOT_SHOWN = Difference(value=0.004, low=-0.006, high=0.014, p=0.43, se=0.005, df=199, groups=200)


def judge(difference: Difference, **given: object) -> Line:
    score = replace(SCORE, **given)  # type: ignore[arg-type]
    return judged([Line(score="f1", a=score, b=score, difference=difference)], holm)[0]


def test_a_shown_difference_is_told_in_points_with_its_interval() -> None:
    assert verdict(judge(SHOWN), "b") == "b is better by 2.1 points, 95 % 0.8 to 3.4"


def test_lower_is_better_turns_the_verdict_and_not_the_size() -> None:
    assert verdict(judge(SHOWN, better="lower"), "b") == "b is worse by 2.1 points, 95 % 0.8 to 3.4"


def test_a_score_with_an_open_range_is_told_in_its_unit() -> None:
    told = verdict(judge(SHOWN, better="lower", range=[0, None], unit="edits/word"), "b")
    assert told == "b is worse by 0.021 edits/word, 95 % 0.0080 to 0.034"


def test_nothing_shown_says_how_many_samples_would() -> None:
    assert verdict(judge(NOT_SHOWN), "b") == "no difference shown; 193 more samples would detect one of 1 point"


def test_enough_samples_say_what_they_would_have_detected() -> None:
    told = verdict(judge(replace(NOT_SHOWN, se=0.003)), "b")
    assert told == "no difference shown; one of 0.8 points would have been detected"


def test_a_p_value_that_the_family_takes_back_is_told() -> None:
    lines = [Line(score=name, a=SCORE, b=SCORE, difference=replace(SHOWN, p=0.03)) for name in ("f1", "bleu")]
    told = verdict(judged(lines, holm)[0], "b")
    assert told.startswith("no difference shown among so many scores (p 0.030 alone, 0.060 in the family); ")


def test_no_comparison_says_why() -> None:
    found = judge(Difference(value=0.1, reason="fewer than 5 groups"))
    assert verdict(found, "b") == "cannot be compared: fewer than 5 groups"


def test_systems_alike_everywhere_say_what_is_not_excluded() -> None:
    same = Difference(value=0.0, low=-0.019, high=0.019, p=1.0, se=0.0, df=199, groups=200)
    assert verdict(judge(same), "b") == "no difference in any group; one of up to 1.9 points is not excluded"
    assert verdict(judge(replace(same, low=0.0, high=0.0)), "b") == "no difference in any group"


@pytest.mark.parametrize(
    ("value", "score", "told"),
    [
        (0.0214, {"range": [0, 1]}, "2.1 points"), (0.00042, {"range": [0, 1]}, "0.042 points"),
        (1.5, {"range": [0, 100]}, "1.5 points"), (-0.5, {"range": [-1, 1]}, "-25.0 points"),
        (0.31, {"range": [0, None], "unit": "edits/word"}, "0.31 edits/word"), (12.0, {"range": None}, "12"),
    ],
)  # fmt: skip
def test_amounts(value: float, score: dict[str, object], told: str) -> None:
    assert amount(value, replace(SCORE, **score)) == told  # type: ignore[arg-type]
