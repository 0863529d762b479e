"""Error rates against jiwer, and edit similarity against the definition of the distance."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

RATES = ("wer", "mer", "wil", "wip")
TEXTS = st.one_of(
    st.lists(st.sampled_from(["a", "b", "the", "The", "mill,", "東京", "é", "e\u0301", "שלום", "🙂"]), max_size=8).map(" ".join),
    st.text(max_size=12).map(lambda text: re.sub(r"\s", " ", text)),  # a lone tab is part of a word to jiwer alone
)


def rows(name: str, response: list[str], references: list[list[str]], **options: Any) -> eh.Rows:
    measured = eh.load_metric(name, **options).measure(response=response, references=references, batch=eh.Batch({}))
    assert isinstance(measured, eh.Rows)
    return measured


def corpus(name: str, response: list[str], references: list[list[str]], **options: Any) -> float:
    statistics = rows(name, response, references, **options).statistics
    return float(eh.load_metric(name).score(**{key: np.sum(column) for key, column in statistics.items()}))


@settings(max_examples=50)
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_rates_of_a_corpus_equal_jiwer(pairs: list[tuple[str, str]]) -> None:
    response, references = map(list, zip(*pairs, strict=True))
    expected = jiwer.process_words(references, response)
    for name in RATES:
        agree(name, corpus(name, response, [[text] for text in references]), getattr(expected, name))
    agree("cer", corpus("cer", response, [[text] for text in references]), jiwer.cer(references, response))


def test_rates_of_real_texts_equal_jiwer(labelled_data: Callable[[str], Path]) -> None:
    items = json.loads(labelled_data("ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))[:60]
    references = [" ".join(item["gt_answer"].split()) for item in items]
    response = [" ".join(item["model1"]["response"].split()) for item in items]
    expected = [jiwer.process_words(text, answer) for text, answer in zip(references, response, strict=True)]
    for name in RATES:
        statistics = rows(name, response, [[text] for text in references]).statistics
        agree(name, eh.load_metric(name).score(**statistics), [getattr(item, name) for item in expected])
    statistics = rows("cer", response, [[text] for text in references]).statistics
    wanted = [jiwer.cer(text, answer) for text, answer in zip(references, response, strict=True)]
    agree("cer", eh.load_metric("cer").score(**statistics), wanted)


@settings(max_examples=50)
@given(response=TEXTS, references=st.lists(TEXTS, min_size=2, max_size=4))
def test_of_several_references_it_is_the_one_with_the_lowest_error_rate(response: str, references: list[str]) -> None:
    for name in ("wer", "cer"):
        rate: Any = getattr(jiwer, name)
        agree(name, corpus(name, [response], [references]), min(rate(text, response) for text in references))
    best = min((jiwer.process_words(text, response) for text in references), key=lambda found: found.wer)
    agree("mer", corpus("mer", [response], [references]), best.mer)


@pytest.mark.parametrize(
    ("response", "reference", "wer", "mer", "wil"),
    [("", "", 0, 0, 0), ("", "a b", 1, 1, 1), ("a b", "", 2, 1, 1), ("a", "a", 0, 0, 0), ("b", "a", 1, 1, 1)],
)
def test_empty_texts_have_the_rates_of_jiwer(response: str, reference: str, wer: float, mer: float, wil: float) -> None:
    expected = jiwer.process_words(reference, response)
    assert (expected.wer, expected.mer, expected.wil) == (wer, mer, wil)
    assert [corpus(name, [response], [[reference]]) for name in ("wer", "mer", "wil")] == [wer, mer, wil]


def test_any_white_space_divides_words() -> None:
    assert corpus("wer", ["a\tb\nc"], [["a b c"]]) == 0.0
    assert corpus("cer", [" a b\n"], [["a b"]]) == 0.0


def test_texts_are_normalised_before_they_are_compared() -> None:
    assert corpus("wer", ["The mill."], [["the mill"]]) == 1.0
    assert corpus("wer", ["The mill."], [["the mill"]], normalise=["lowercase", "punctuation"]) == 0.0
    assert corpus("wer", ["東京都"], [["東京"]], normalise="words") == 0.5
    assert corpus("cer", ["Ab"], [["ab"]], normalise=["lowercase"]) == 0.0


def test_rates_share_one_alignment_a_batch() -> None:
    batch = eh.Batch({"response": ["a b"], "references": [["a c"]]})
    for name in (*RATES, "cer"):
        eh.load_metric(name).measure(response=["a b"], references=[["a c"]], batch=batch)
    assert len(batch.memo) == 2  # of words, and of characters


@pytest.mark.parametrize("name", [*RATES, "cer", "edit_similarity"])
def test_a_sample_without_references_is_unmeasured(name: str) -> None:
    arguments = {} if name == "edit_similarity" else {"batch": eh.Batch({})}
    metric = eh.load_metric(name)
    measured = metric.measure(response=["x", "y"], references=[["x"], []], **arguments)
    assert isinstance(measured, eh.Rows)
    assert measured.unmeasured == {1: "no reference"}
    with pytest.raises(TypeError, match="references must be a list of texts"):
        metric.measure(response=["x"], references=["x"], **arguments)


def distance(text: str, other: str) -> int:
    """The Levenshtein distance by its recurrence (Wagner and Fischer, 1974)."""
    above = list(range(len(other) + 1))
    for row, char in enumerate(text, 1):
        line = [row]
        for column, given_char in enumerate(other, 1):
            line.append(min(line[-1] + 1, above[column] + 1, above[column - 1] + (char != given_char)))
        above = line
    return above[-1]


@settings(max_examples=50)
@given(response=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=3))
def test_edit_similarity_is_what_the_distance_leaves(response: str, references: list[str]) -> None:
    measured = eh.load_metric("edit_similarity").measure(response=[response], references=[references])
    assert isinstance(measured, eh.Rows)
    expected = max(1 - distance(response, text) / max(len(response), len(text), 1) for text in references)
    agree("edit_similarity", measured.statistics["similarity"], [expected])
