"""ROUGE-W, ROUGE-S and ROUGE-SU against their definitions, written out slowly, and the worked examples of the paper."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

REFERENCE = "police killed the gunman"


def value(variant: str, response: str, reference: str, **options: Any) -> float:
    metric = eh.load_metric("rouge", variants=(variant,), **options)
    return metric.measure(response=[response], references=[[reference]]).statistics[f".{variant}"][0]  # type: ignore[union-attr]


def f1(shared: float, reference: float, response: float) -> float:
    return 2 * shared / (reference + response) if shared else 0.0  # of shared / reference and shared / response


def clipped(left: list[Any], right: list[Any]) -> float:
    return f1((Counter(left) & Counter(right)).total(), len(left), len(right))


def skip_bigrams(words: list[str], gap: int | None) -> list[tuple[str, str]]:
    pairs = combinations(range(len(words)), 2)
    return [(words[one], words[two]) for one, two in pairs if gap is None or two - one - 1 <= gap]


def weighted_table(reference: list[str], response: list[str], power: float) -> float:
    """Return Lin's weighted common subsequence: c and w of section 4 of the paper, cell by cell."""
    heights = [[0.0] * (len(response) + 1) for _ in range(len(reference) + 1)]
    runs = [[0] * (len(response) + 1) for _ in range(len(reference) + 1)]
    for i, word in enumerate(reference, 1):
        for j, other in enumerate(response, 1):
            if word == other:
                run = runs[i - 1][j - 1]
                heights[i][j] = heights[i - 1][j - 1] + (run + 1) ** power - run**power
                runs[i][j] = run + 1
            else:
                heights[i][j] = max(heights[i - 1][j], heights[i][j - 1])
    return heights[-1][-1]


def weighted(reference: list[str], response: list[str], power: float) -> float:
    return f1(weighted_table(reference, response, power) ** (1 / power), len(reference), len(response))


@pytest.mark.parametrize(
    ("variant", "response", "expected"),
    [
        ("rougeL", "police kill the gunman", 0.75),
        ("rougeL", "the gunman kill police", 0.5),
        ("rougeL", "the gunman police killed", 0.5),
        ("rougeS", "police kill the gunman", 0.5),
        ("rougeS", "the gunman kill police", 1 / 6),
        ("rougeS", "the gunman police killed", 1 / 3),
        ("rougeS", "gunman the killed police", 0.0),
        ("rougeSU", "gunman the killed police", 0.4),
    ],
)
def test_the_examples_of_the_paper_that_police_killed_the_gunman(variant: str, response: str, expected: float) -> None:
    agree("rouge", value(variant, response, REFERENCE, gap=None), expected)


@pytest.mark.parametrize(("response", "expected"), [("A B C D H I K", 4 / 7), ("A H B K C I D", 2 / 7)])
def test_the_example_of_the_paper_for_runs(response: str, expected: float) -> None:
    agree("rouge", value("rougeW", response, "A B C D E F G", weight=2.0), expected)
    assert value("rougeL", response, "A B C D E F G") == pytest.approx(4 / 7)


WORDS = st.lists(st.sampled_from("abcd"), max_size=12)


@settings(max_examples=200)
@given(reference=WORDS, response=WORDS, power=st.sampled_from([1.0, 1.2, 2.0, 3.5]))
def test_weighted_subsequences_equal_the_table_of_the_paper(reference: list[str], response: list[str], power: float) -> None:
    found = value("rougeW", " ".join(response), " ".join(reference), weight=power)
    agree("rouge", found, weighted(reference, response, power))


@settings(max_examples=100)
@given(reference=WORDS, response=WORDS, gap=st.sampled_from([None, 0, 1, 4, 100]))
def test_skip_bigrams_equal_their_definition(reference: list[str], response: list[str], gap: int | None) -> None:
    left, right = skip_bigrams(reference, gap), skip_bigrams(response, gap)
    texts = " ".join(response), " ".join(reference)
    agree("rouge", value("rougeS", *texts, gap=gap), clipped(left, right))
    agree("rouge", value("rougeSU", *texts, gap=gap), clipped([*left, *reference], [*right, *response]))


def test_a_weight_of_1_is_the_plain_subsequence_and_a_gap_of_0_the_bigram() -> None:
    texts = "the mill burned down and the miller with it", "down with the mill and the miller, it burned"
    assert value("rougeW", *texts, weight=1.0) == pytest.approx(value("rougeL", *texts))
    assert value("rougeS", *texts, gap=0) == value("rouge2", *texts)


@pytest.mark.parametrize("variant", ["rougeW", "rougeS", "rougeSU"])
def test_precision_and_recall_are_shares_of_the_one_and_the_other(variant: str) -> None:
    texts = "a b c x", "a b c d e f"
    precision, recall = (value(variant, *texts, report=report) for report in ("precision", "recall"))
    assert precision > recall
    assert value(variant, *texts) == pytest.approx(2 * precision * recall / (precision + recall))


def test_long_texts_are_compared_at_any_distance() -> None:
    words = [f"w{place * place % 997}" for place in range(3000)]
    assert value("rougeS", " ".join(words), " ".join(words), gap=None) == 1.0
