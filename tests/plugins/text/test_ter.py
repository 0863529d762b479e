"""Translation edit rate against sacrebleu, on the corpus and on single samples."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

RESPONSES = [
    "The cat sat on the mat.",
    "on the mat the cat sat",
    "one",
    "",
    "words",
    "東京は日本の首都です。",
    "It's &quot;quoted&quot; 3,000-fold, isn't it?",
    "a a a a b b",
    "x y z",
]
REFERENCES = [
    ["The cat sat on the mat.", "A cat was sitting on the mat today."],
    ["the cat sat on the mat"],
    ["one two three", "one"],
    ["something"],
    [""],
    ["日本の首都は東京である。"],
    ['it is "quoted" 3,000-fold isn\'t it'],
    ["b b a a a a", "b a"],
    ["u v", ""],
]
NAMES = ("normalized", "no_punct", "asian_support", "case_sensitive")
OPTIONS = [
    dict(zip(NAMES, flags, strict=True))
    for flags in itertools.product([False, True], repeat=4)
    if flags[0] or flags[1] or not flags[2]
]


def check(response: list[str], references: list[list[str]], options: dict[str, Any]) -> None:
    found = eh.load_metric("ter", **options).evaluate(response=response, references=references)
    theirs = sacrebleu.TER(**options)
    ranked: Any = list(itertools.zip_longest(*references))
    agree("ter", found.scores["ter"].value, theirs.corpus_score(response, ranked).score)
    expected = [theirs.sentence_score(text, items).score for text, items in zip(response, references, strict=True)]
    agree("ter", found.samples["ter"], expected)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_corpus_and_samples_equal_sacrebleu(options: dict[str, Any]) -> None:
    check(RESPONSES, REFERENCES, options)


WORD = st.sampled_from(["a", "b", "A", "c.", "东", "שלום", "e\u0301", "🙂", "(x)", "、"])
TEXT = st.lists(WORD, max_size=8).map(" ".join)
ROWS = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=4)


@settings(deadline=None, max_examples=50)
@given(rows=ROWS, options=st.sampled_from(OPTIONS))
def test_random_texts_equal_sacrebleu(rows: list[tuple[str, list[str]]], options: dict[str, Any]) -> None:
    check([text for text, _ in rows], [items for _, items in rows], options)


def test_references_are_normalized_once_where_sacrebleu_does_it_twice() -> None:
    text = "priced at .,1 in all"
    assert sacrebleu.TER(normalized=True).sentence_score(text, [text]).score > 0
    assert eh.load_metric("ter", normalized=True).evaluate(response=[text], references=[[text]]).scores["ter"].value == 0


def test_real_summaries_equal_sacrebleu(labelled_data: Callable[[str], Path]) -> None:
    path = labelled_data("xsum_hallucination/factuality_annotations_xsum_summaries.csv")
    with path.open(encoding="utf-8", newline="") as file:
        found = {(row["system"], row["bbcid"]): row["summary"] for row in csv.DictReader(file)}
    others = ("TranS2S", "PtGen")
    articles = [article for system, article in found if system == "BERTS2S" and all((one, article) in found for one in others)]
    response = [found["BERTS2S", article] for article in articles[:30]]
    check(response, [[found[one, article] for one in others] for article in articles[:30]], {})


def test_a_sample_without_references_is_unmeasured() -> None:
    found = eh.load_metric("ter").evaluate(response=["a b", "x"], references=[["a c"], []])
    assert found.samples["ter"] == [50.0, None]
    assert found.statuses == [None, "no reference"]


def test_an_option_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(eh.EvalharnessError, match="asian_support changes what normalized and no_punct do; set one of these"):
        eh.load_metric("ter", asian_support=True)
