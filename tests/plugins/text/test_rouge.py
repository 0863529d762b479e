"""ROUGE against the rouge-score package."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

import evalharness as eh
from evalharness.testing import agree

VARIANTS = (*(f"rouge{size}" for size in range(1, 10)), "rougeL", "rougeLsum")
REPORTS = ("fmeasure", "precision", "recall")


def values(response: list[str], references: list[list[str]], **options: Any) -> dict[str, list[float]]:
    return dict(eh.load_metric("rouge", **options).measure(response=response, references=references).statistics)


def check(response: list[str], references: list[list[str]], stemmer: bool = False, variants: tuple[str, ...] = VARIANTS) -> None:
    scorer = RougeScorer(variants, use_stemmer=stemmer)
    scores = [scorer.score_multi(items, text) for text, items in zip(response, references, strict=True)]
    for report in REPORTS:
        found = values(response, references, variants=variants, stemmer=stemmer, report=report)
        for variant in variants:
            agree("rouge", found[f".{variant}"], [float(getattr(score[variant], report)) for score in scores])


RESPONSES = [
    "",
    "\n \n",
    "word",
    "The Cat's on the mat.\nIt purrs; it sleeps.\n\nThen it runs.",
    "the the the the",
    "東京は日本の首都です。",
    "مرحبا",
    "naïve CAFÉ \u212aelvin İstanbul 🙂 x\u0301",
    "running runners ran easily, generously, ponies ties",
    "a b c d e f\nf e d c b a\na c e b d f",
    "mill\r\nmill\u2028mill\x00mill",
]
REFERENCES = [
    ["something"],
    ["x"],
    ["word", "other word"],
    ["A cat sits on the mat.\nThen it sleeps and purrs.", "The cat is on the mat. It runs."],
    ["the cat the"],
    ["東京は日本の首都です。"],
    ["مرحبا hello"],
    ["naive cafe kelvin istanbul x"],
    ["he runs, the runner ran with ease and generosity to the pony tie"],
    ["f a e b d c\nc d b e a f", "a b c\nd e f\na b c d e f"],
    ["mill mill mill\nmill mill"],
]


@pytest.mark.parametrize("stemmer", [False, True])
def test_edge_cases_equal_rouge_score(stemmer: bool) -> None:
    check(RESPONSES, REFERENCES, stemmer)


LETTERS = st.lists(st.sampled_from("abcdefg"), max_size=9).map(" ".join)
SENTENCES = st.lists(LETTERS, max_size=5).map("\n".join)


@settings(max_examples=200)
@given(response=SENTENCES, references=st.lists(SENTENCES, min_size=1, max_size=3))
def test_unions_of_subsequences_equal_rouge_score_where_many_are_equally_long(response: str, references: list[str]) -> None:
    check([response], [references], variants=("rougeLsum",))


@settings(max_examples=50)
@given(response=st.text(max_size=60), references=st.lists(st.text(max_size=60), min_size=1, max_size=3), stemmer=st.booleans())
def test_any_text_equals_rouge_score(response: str, references: list[str], stemmer: bool) -> None:
    check([response], [references], stemmer)


@pytest.mark.parametrize("stemmer", [False, True])
def test_long_real_answers_equal_rouge_score(labelled_data: Callable[[str], Path], stemmer: bool) -> None:
    items = json.loads(labelled_data("ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))
    items = [item for item in items if "\n" in item["gt_answer"]][:12] + items[:12]
    check(
        [item["model1"]["response"] for item in items],
        [[item["gt_answer"], item["model2"]["response"][:400]] for item in items],
        stemmer,
    )


@pytest.mark.parametrize("stemmer", [False, True])
def test_real_summaries_equal_rouge_score(labelled_data: Callable[[str], Path], stemmer: bool) -> None:
    with labelled_data("xsum_hallucination/factuality_annotations_xsum_summaries.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_document: dict[str, list[str]] = {}
    for row in rows:
        by_document.setdefault(row["bbcid"], []).append(row["summary"])
    summaries = [texts for texts in map(list, map(dict.fromkeys, by_document.values())) if len(texts) > 2][:60]
    assert len(summaries) == 60
    check([texts[0] for texts in summaries], [texts[1:] for texts in summaries], stemmer)


def test_the_best_reference_is_chosen_for_each_variant_by_itself() -> None:
    found = values(["a b c d"], [["d c b a", "a b x y"]])
    assert found[".rouge1"] == [1.0]
    assert found[".rouge2"] == [pytest.approx(1 / 3)]


def test_text_without_latin_letters_or_digits_scores_0_as_in_rouge_score() -> None:
    assert values(["東京"], [["東京"]], variants=("rouge1",)) == {".rouge1": [0.0]}


def test_a_sample_without_references_is_unmeasured() -> None:
    assert eh.load_metric("rouge").measure(response=["x", "y"], references=[[], ["y"]]).unmeasured == {0: "no reference"}


def test_precision_and_recall_are_those_of_the_reference_with_the_highest_f1() -> None:
    response, references = ["a b c d"], [["a b x y z", "a b c d e f g h", "a"]]
    assert values(response, references, variants=("rouge1",), report="precision") == {".rouge1": [1.0]}
    assert values(response, references, variants=("rouge1",), report="recall") == {".rouge1": [0.5]}


def test_equal_texts_have_1_and_texts_without_words_0() -> None:
    variants = ("rouge1", "rouge4", "rougeL", "rougeLsum", "rougeW", "rougeS", "rougeSU")
    found = values(["a b\nc a d", "", "!"], [["a b\nc a d"], [""], ["!"]], variants=variants)
    assert found == {f".{variant}": [1.0, 0.0, 0.0] for variant in variants}


def test_with_unicode_words_scripts_of_all_kinds_are_compared() -> None:
    response = ["東京は日本の首都です。", "عاصمة مصر هي القاهرة", "Cafe\u0301 crème", "हिन्दी में", "ﬁne ＡＢＣ"]
    references = [["東京は日本の都です"], ["القاهرة عاصمة مصر"], ["CAFÉ creme"], ["हिन्दी मैं"], ["fine abc"]]
    found = values(response, references, variants=("rouge1",), tokenize="unicode")[".rouge1"]
    assert found == pytest.approx([2 * 9 / 19, 2 * 3 / 7, 0.5, 0.5, 1.0])


@settings(max_examples=50)
@given(response=st.text("abc 12-\n", max_size=40), reference=st.text("abc 12-\n", max_size=40), stemmer=st.booleans())
def test_unicode_words_are_those_of_rouge_score_in_plain_english(response: str, reference: str, stemmer: bool) -> None:
    found = [values([response], [[reference]], stemmer=stemmer, tokenize=tokenize) for tokenize in ("rouge", "unicode")]
    assert found[0] == found[1]


def test_parts_follow_from_the_variants() -> None:
    metric = eh.load_metric("rouge", variants=("rougeL", "rouge1"))
    assert metric.parts == (".rougeL", ".rouge1")
    assert metric.signature() == "rouge|variants:rougeL,rouge1|stemmer:false"
    assert eh.load_metric("rouge", gap=None).signature().endswith("|stemmer:false|gap:null")


@pytest.mark.parametrize("variants", [(), ("rouge1", "rouge1")])
def test_variants_that_name_nothing_or_one_twice_are_refused(variants: tuple[str, ...]) -> None:
    with pytest.raises(eh.EvalharnessError, match="variants must name at least one variant, and none twice"):
        eh.load_metric("rouge", variants=variants)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variants": ["rougeN"]}, "has a wrong item 1: it must be one of 'rouge1', "),
        ({"report": "f1"}, "must be one of 'fmeasure', 'precision', 'recall', not 'f1'"),
        ({"weight": 0.5}, "weight must be 1 .a run weighs its length, as in rougeL. to 10, not 0.5"),
        ({"gap": -1}, "gap must be 0 .neighbours only. or more, or null for any distance, not -1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        eh.load_metric("rouge", **options)
