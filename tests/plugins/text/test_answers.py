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
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

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


@settings(max_examples=50)
@given(response=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=4))
def test_values_equal_the_official_evaluation_on_any_text(response: str, references: list[str]) -> None:
    exact, f1 = (max(official(response, item) for item in references) for official in (official_exact, official_f1))
    agree("exact_match", values("exact_match", [response], [references]), [exact], tolerance=0)
    agree("token_f1", values("token_f1", [response], [references]), [f1], tolerance=0)


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=3)), min_size=1, max_size=4))
def test_unanswerable_questions_count_as_in_squad_2(rows: list[tuple[str, list[str]]]) -> None:
    response, references = [text for text, _ in rows], [texts for _, texts in rows]
    for name, official in (("squad_exact_match", official_exact), ("squad_f1", official_f1)):
        expected = [max(official(text, item) for item in texts or [""]) for text, texts in rows]
        agree(name, values(name, response, references), expected, tolerance=0)


def test_a_refusal_is_right_where_there_is_no_answer_and_there_alone() -> None:
    response, references = ["I don't know.", "I don't know.", "Unknown", "1931"], [[], ["1931"], ["unknown"], []]
    assert values("squad_exact_match", response, references) == [1.0, 0.0, 1.0, 0.0]
    batch = eh.Batch({"refused": [True, False]})
    rows = eh.load_metric("squad_f1").measure(response=["Weiß nicht.", "Weiß nicht."], references=[[], []], batch=batch)
    assert isinstance(rows, eh.Rows)
    assert rows.statistics["f1"] == [1.0, 0.0]


# The normal form of the TriviaQA evaluation: lower case, a space for `_` and each mark, no articles, single spaces.
def triviaqa_normal_form(text: str) -> str:
    marks = set(string.punctuation + "‘’´`")
    spaced = "".join(" " if letter in marks else letter for letter in text.replace("_", " ").lower())
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", spaced).split()).strip()


@settings(max_examples=50)
@given(response=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=4))
def test_answers_compare_as_in_the_triviaqa_evaluation(response: str, references: list[str]) -> None:
    expected = [float(triviaqa_normal_form(response) in map(triviaqa_normal_form, references))]
    agree("exact_match", values("exact_match", [response], [references], normalise="triviaqa"), expected, tolerance=0)


@settings(max_examples=50)
@given(response=TEXTS, reference=TEXTS)
def test_an_answer_is_contained_where_a_regular_expression_with_boundaries_finds_it(response: str, reference: str) -> None:
    text, part = official_normal_form(response), official_normal_form(reference)
    if any(not (letter.isascii() or letter == "é") for letter in text + part) or "_" in part:
        return  # \b knows neither combining marks nor scripts without spaces
    expected = bool(re.search(rf"(?<![a-zé0-9]){re.escape(part)}(?![a-zé0-9])", text)) if part else not text
    agree("contains_answer", values("contains_answer", [response], [[reference]]), [float(expected)], tolerance=0)


@pytest.mark.parametrize(
    ("response", "reference", "contained"),
    [
        ("The Seine flows through Paris.", "the seine", 1),
        ("a party", "art", 0),
        ("art party", "art", 1),
        ("party, art", "Art!", 1),
        ("東京は日本の首都です。", "日本", 1),
        ("서울은 수도", "서울", 0),
        ("서울 은", "서울", 1),
        ("cafe\u0301", "cafe", 0),
        ("I 🙂 it", "🙂", 1),
        ("", "x", 0),
        ("x", "", 0),
        ("", "", 1),
        ("it is 1931", "931", 0),
    ],
)
def test_a_part_of_a_word_is_no_answer(response: str, reference: str, contained: int) -> None:
    assert values("contains_answer", [response], [[reference]]) == [contained]


@pytest.mark.parametrize(
    ("response", "reference", "normalise", "match"),
    [
        ("$1,000.0", "1000", "numeric", 1),
        ("−5 °C", "-5 °c", "numeric", 1),
        ("10.5", "105", "numeric", 0),
        ("105", "10.5", "squad", 1),  # as in the official evaluation, which deletes the point
        ("The 3rd", "3 rd", "numeric", 1),
        ("Crème Brûlée", "creme brulee", ["accents", "lowercase"], 1),
        (" Ａ ", "A", ["nfkc"], 0),
        (" Ａ ", "A", ["nfkc", "strip"], 1),
        ("«Ja», sagte er…", "Ja sagte er", ["punctuation"], 1),
        ("#### 12", "12", [{"remove": "(?s).*#### "}], 1),
        ("x  y", "x y", ["whitespace"], 1),
        ("x  y", "x y", [], 0),
        ("1,000 m", "1000 m", ["numbers"], 1),
        ("a mill", "mill", ["articles", "strip"], 1),
        ("東京", "東 京", "words", 1),
        ("東京", "東 京", ["words"], 1),
    ],
)
def test_texts_are_compared_after_the_steps_of_normalisation(response: str, reference: str, normalise: Any, match: int) -> None:
    assert values("exact_match", [response], [[reference]], normalise=normalise) == [match]


def test_words_are_compared_after_the_same_steps() -> None:
    assert values("token_f1", ["東京タワー"], [["東京"]], normalise="words") == [pytest.approx(4 / 7)]
    assert values("token_f1", ["Ja, nein"], [["ja"]], normalise=["punctuation", "lowercase"]) == [pytest.approx(2 / 3)]
    assert values("contains_answer", ["x 1,000"], [["1000.0"]], normalise=["numbers"]) == [1.0]


@pytest.mark.parametrize(
    ("normalise", "message"),
    [
        ([{"remove": "(a"}], r"'\(a' is no regular expression: missing \), unterminated subpattern at position 0"),
        (["lowercas"], "lowercase"),
        ([{"delete": "a"}], "It has: remove"),
        ("triviqa", "must be one of .squad., .triviaqa., .numeric., .words., .none. or a list"),
    ],
)
def test_what_is_no_step_is_refused_with_what_there_is(normalise: Any, message: str) -> None:
    with pytest.raises(eh.UsageError, match=message):
        eh.load_metric("exact_match", normalise=normalise)


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
    steps = eh.load_metric("exact_match", normalise=["lowercase", {"remove": "[$]"}])
    assert steps.signature() == 'exact_match|normalise:lowercase,{"remove":"[$]"}'


def test_refusing_is_right_where_there_is_no_answer_and_only_there() -> None:
    metric = eh.load_metric("refusal_correctness")
    response = ["I don’t know.", "In 1931.", "The passages do not mention it.", "In 1931.", ""]
    references = [[], [], ["1931"], ["1930"], []]
    found = metric.measure(response=response, references=references, batch=eh.Batch({}))
    assert found == {"right": [1.0, 0.0, 0.0, 1.0, 0.0]}
