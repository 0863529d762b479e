"""Exact match, token F1 and refusal correctness, against the algorithm of SQuAD's official evaluation."""

from __future__ import annotations

import csv
import json
import re
import string
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh

Labelled = Callable[[str], Path]

WORDS = st.sampled_from(
    ["a", "an", "the", "The", "mill", "Mill,", "mills", "an-d", "café", "cafe\u0301", "—", "東京", "_", "\x00", "A."]
)
SENTENCES = st.lists(WORDS, max_size=8).flatmap(
    lambda words: st.sampled_from([" ", "\n", "", "\t\x1c"]).map(lambda gap: gap.join(words))
)
TEXTS = st.text(max_size=20) | SENTENCES


# The oracle: what the official script does, step by step, written without a thought of speed.
def official_normal_form(text: str) -> str:
    lower = text.lower()
    unpunctuated = "".join(letter for letter in lower if letter not in set(string.punctuation))
    without_articles = re.sub(r"\b(a|an|the)\b", " ", unpunctuated)
    return " ".join(without_articles.split())


def official_exact(response: str, reference: str) -> int:
    return int(official_normal_form(response) == official_normal_form(reference))


def official_f1(response: str, reference: str) -> float:
    given_words, wanted = official_normal_form(response).split(), official_normal_form(reference).split()
    if not given_words or not wanted:
        return float(given_words == wanted)
    same = sum((Counter(given_words) & Counter(wanted)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(given_words), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def values(name: str, response: list[str], references: list[list[str]], **options: Any) -> list[float]:
    rows = eh.load_metric(name, **options).measure(response=response, references=references, batch=eh.Batch({}))
    (column,) = rows.statistics.values()
    return column


@given(response=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=4))
def test_values_equal_the_official_evaluation_on_any_text(response: str, references: list[str]) -> None:
    assert values("exact_match", [response], [references]) == [max(official_exact(response, item) for item in references)]
    assert values("token_f1", [response], [references]) == [max(official_f1(response, item) for item in references)]


@pytest.mark.parametrize(
    "gap", [chr(code) for code in range(0x100)] + ["\u200b", "\u2013", "\u3000", "\u0301", "\u0130", "\u212a"]
)
def test_every_character_separates_or_joins_words_as_in_the_official_evaluation(gap: str) -> None:
    text = f"x{gap}the{gap}A{gap}y"
    words = official_normal_form(text)
    assert values("exact_match", [text, words], [[words], [text]]) == [1.0, 1.0]
    assert values("token_f1", [text], [["x y"]]) == [official_f1(text, "x y")]


def test_answers_of_real_systems_get_the_official_values(labelled_data: Labelled) -> None:
    with labelled_data("openqa_nq301/NQ301_BEM.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    response = [row["Model answer"] for row in rows]
    references = [row["Gold answers"].split(" | ") for row in rows]
    assert len(rows) > 1400
    expected_exact = [max(official_exact(text, item) for item in items) for text, items in zip(response, references, strict=True)]
    expected_f1 = [max(official_f1(text, item) for item in items) for text, items in zip(response, references, strict=True)]
    assert 0.1 < sum(expected_exact) / len(rows) < 0.9
    assert values("exact_match", response, references) == expected_exact
    assert values("token_f1", response, references) == expected_f1


def test_real_passages_with_many_scripts_get_the_official_values(labelled_data: Labelled) -> None:
    articles = json.loads(labelled_data("xquad_en/xquad.en.json").read_text("utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    response = [paragraph["context"] for paragraph in paragraphs]
    references = [[answer["text"] for question in item["qas"] for answer in question["answers"]] for item in paragraphs]
    assert values("token_f1", response, references) == [
        max(official_f1(text, item) for item in items) for text, items in zip(response, references, strict=True)
    ]


def test_an_empty_response_is_measured_and_wrong() -> None:
    assert values("exact_match", ["", " \n"], [["x"], ["x"]]) == [0.0, 0.0]
    assert values("token_f1", ["", " \n"], [["x"], ["x"]]) == [0.0, 0.0]


@pytest.mark.parametrize("name", ["exact_match", "token_f1"])
@pytest.mark.parametrize("normalise", ["squad", "none"])
def test_a_sample_without_references_is_unmeasured(name: str, normalise: str) -> None:
    metric = eh.load_metric(name, normalise=normalise)
    rows = metric.measure(response=["x", "I don't know."], references=[["x"], []], batch=eh.Batch({}))
    assert rows.unmeasured == {1: "no reference"}


@pytest.mark.parametrize("name", ["exact_match", "token_f1"])
def test_one_text_in_place_of_a_list_of_references_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"references must be a list of texts.*\[\['one'\], \['two', 'three'\]\]"):
        values(name, ["x"], ["x"])  # type: ignore[list-item]


def test_without_normalisation_texts_are_compared_as_they_are() -> None:
    assert values("exact_match", ["The mill", "the mill"], [["the mill"]] * 2, normalise="none") == [0.0, 1.0]
    assert values("token_f1", ["The mill", "the  mill"], [["the mill"]] * 2, normalise="none") == [0.5, 1.0]


def test_both_metrics_share_the_words_of_a_batch() -> None:
    batch = eh.Batch({"response": ["x y"], "references": [["x"]]})
    for name in ("exact_match", "token_f1"):
        eh.load_metric(name).measure(response=["x y"], references=[["x"]], batch=batch)
    assert len(batch.memo) == 1


def test_the_signature_names_the_normalisation() -> None:
    assert eh.load_metric("token_f1").signature() == "token_f1|normalise:squad"
    assert eh.load_metric("exact_match", normalise="none").signature() == "exact_match|normalise:none"


def test_refusing_is_right_where_there_is_no_answer_and_only_there() -> None:
    metric = eh.load_metric("refusal_correctness")
    response = ["I don’t know.", "In 1931.", "The passages do not mention it.", "In 1931.", ""]
    references = [[], [], ["1931"], ["1930"], []]
    found = metric.measure(response=response, references=references, batch=eh.Batch({}))
    assert found == {"right": [1.0, 0.0, 0.0, 1.0, 0.0]}
