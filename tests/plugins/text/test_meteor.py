"""METEOR against nltk's, without synonyms and with those of a small WordNet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nltk
import pytest
from evalharness_text.meteor import align
from evalharness_text.wordnet import FILES, read_synonyms
from evalharness_text.words import unicode_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.translate.meteor_score import meteor_score

import evalharness as eh
from evalharness.testing import agree

# By part of speech: its letter, the words of each meaning, and irregular forms with their base.
SMALL_WORDNET = {
    "noun": (
        "n",
        [["car", "auto", "motor_car"], ["child", "kid", "minor"], ["kid", "goat"], ["Paris", "capital_of_France"], ["run"]],
        {"children": "child"},
    ),
    "verb": ("v", [["kill", "slay"], ["buy", "purchase"], ["run", "flow"], ["kid", "joke"]], {"bought": "buy"}),
    "adj": ("a", [["big", "large"], ["asleep(p)", "afoot(p)"]], {"bigger": "big"}),
    "adv": ("r", [["afoot", "underway"]], {}),
}
HEADER = "  1 A small WordNet of made-up meanings, for tests.  \n"


class NoSynonyms:
    """Stands for a WordNet that knows no word, since nltk's own needs data."""

    def synsets(self, word: str) -> list[Any]:
        return []


class OneVersion(WordNetCorpusReader):
    """nltk's reader without the mapping to WordNet 3.0, which it would look for among nltk's data."""

    def map_wn(self, version: str = "wordnet") -> None:
        return None


def write_wordnet(folder: Path) -> None:
    """Write the files of WordNet's database, and two that nltk's reader wants besides."""
    for part, (letter, meanings, irregular) in SMALL_WORDNET.items():
        data, places = HEADER, dict[str, list[str]]()
        for words in meanings:
            for word in words:
                places.setdefault(word.partition("(")[0].lower(), []).append(f"{len(data):08d}")
            frames = "00 " if part == "verb" else ""
            listed = "".join(f"{word} 0 " for word in words)
            data += f"{len(data):08d} 00 {letter} {len(words):02x} {listed}000 {frames}| made up  \n"
        index = [f"{word} {letter} {len(at)} 0 {len(at)} 0 {' '.join(at)}  \n" for word, at in sorted(places.items())]
        (folder / f"data.{part}").write_text(data, encoding="utf-8")
        (folder / f"index.{part}").write_text(HEADER + "".join(index), encoding="utf-8")
        (folder / f"{part}.exc").write_text("".join(f"{form} {base}\n" for form, base in irregular.items()), encoding="utf-8")
    (folder / "lexnames").write_text("00\tadj.all\t3\n", encoding="utf-8")
    (folder / "cntlist.rev").write_text("", encoding="utf-8")


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the folder of a small WordNet."""
    folder = tmp_path_factory.mktemp("wordnet")
    write_wordnet(folder)
    return str(folder)


@pytest.fixture(scope="module")
def reader(wordnet: str) -> Iterator[WordNetCorpusReader]:
    """Give nltk's reader of the same files."""
    nltk.data.path.append(wordnet)  # nltk reads nothing elsewhere
    with pytest.warns(UserWarning, match="multilingual functions are not available"):
        yield OneVersion(wordnet, None)
    nltk.data.path.remove(wordnet)


def values(response: list[str], references: list[list[str]], **options: Any) -> list[float]:
    metric = eh.load_metric("meteor", **options)
    return list(metric.measure(response=response, references=references).statistics["meteor"])  # type: ignore[union-attr]


def check(response: str, references: list[str], reader: Any = None, wordnet: str | None = None, **options: Any) -> None:
    """Compare with nltk on words split at white space."""
    found = values([response], [references], tokenize="none", wordnet=wordnet, **options)
    words = [text.split() for text in references]
    agree("meteor", found, [meteor_score(words, response.split(), wordnet=reader or NoSynonyms(), **options)])


RESPONSE = "It is a guide to action which ensures that the military always obeys the commands of the party"
REFERENCES = [
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the command of the Party",
    "It is the practical guide for the army always to heed the directions of the party",
]


def test_the_example_of_the_reference() -> None:
    check(RESPONSE, REFERENCES)
    assert values([RESPONSE], [REFERENCES]) == [pytest.approx(0.6944, abs=5e-5)]


WORD = st.sampled_from(
    ["the", "The", "run", "running", "runs", "easily", "easy", "generously", "東京", "مرحبا", "e\u0301", "🙂", "."]
)
TEXT = st.lists(WORD, max_size=14).map(" ".join)


@settings(max_examples=100)
@given(response=TEXT, references=st.lists(TEXT, min_size=1, max_size=3))
def test_random_words_equal_nltk(response: str, references: list[str]) -> None:
    check(response, references)


@settings(max_examples=50)
@given(
    response=TEXT,
    reference=TEXT,
    alpha=st.sampled_from([0.0, 0.5, 1.0]),
    beta=st.sampled_from([0.0, 0.5, 3.0]),
    gamma=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_parameter_means_what_it_means_in_nltk(
    response: str, reference: str, alpha: float, beta: float, gamma: float
) -> None:
    check(response, [reference], alpha=alpha, beta=beta, gamma=gamma)


@settings(max_examples=50)
@given(response=st.text(max_size=40), references=st.lists(st.text(max_size=40), min_size=1, max_size=2))
def test_any_text_equals_nltk_on_the_same_words(response: str, references: list[str]) -> None:
    words = [[word for line in unicode_lines(text) for word in line] for text in (response, *references)]
    agree("meteor", values([response], [references]), [meteor_score(words[1:], words[0], wordnet=NoSynonyms())])


def test_real_summaries_equal_nltk(labelled_data: Callable[[str], Path]) -> None:
    with labelled_data("xsum_hallucination/factuality_annotations_xsum_summaries.csv").open(encoding="utf-8") as file:
        summaries = list(dict.fromkeys(row["summary"] for row in csv.DictReader(file)))[:200]
    for response, reference in pairwise(summaries):
        check(response, [reference, response[::-1]])


COMMON = st.sampled_from(
    ["car", "cars", "auto", "kid", "children", "child", "goat", "slay", "kill", "bought", "buy", "big", "the"]
)


@settings(max_examples=100)
@given(response=st.lists(COMMON, max_size=10).map(" ".join), reference=st.lists(COMMON, max_size=10).map(" ".join))
def test_synonyms_equal_nltk(wordnet: str, reader: WordNetCorpusReader, response: str, reference: str) -> None:
    check(response, [reference], reader=reader, wordnet=wordnet)


@pytest.mark.parametrize(
    "word",
    [
        "car",
        "cars",
        "children",
        "kids",
        "kid",
        "killed",
        "buying",
        "bought",
        "runs",
        "bigger",
        "large",
        "asleep",
        "afoot",
        "paris",
        "x",
    ],
)
def test_synonyms_are_those_that_nltk_reads(wordnet: str, reader: WordNetCorpusReader, word: str) -> None:
    names = {lemma.name() for meaning in reader.synsets(word) for lemma in meaning.lemmas()}
    assert read_synonyms(wordnet)[word] == {name for name in names if "_" not in name}


def test_words_of_one_meaning_match_with_wordnet_only(wordnet: str) -> None:
    assert values(["kid kill"], [["child slay"]]) == [0.0]
    assert values(["kid kill"], [["child slay"]], wordnet=wordnet) == [1 - 0.5 / 2**3]


def test_the_signature_tells_what_wordnet_holds(wordnet: str, tmp_path: Path) -> None:
    write_wordnet(tmp_path)
    metrics = [eh.load_metric("meteor", wordnet=folder) for folder in (wordnet, str(tmp_path))]
    digests = [metric.signature().partition("wordnet_digest:")[2] for metric in metrics]
    assert digests[0] == digests[1] != ""
    with (tmp_path / "noun.exc").open("a", encoding="utf-8") as file:
        file.write("geese goose\n")
    assert metrics[1].signature().partition("wordnet_digest:")[2] != digests[0]
    assert eh.load_metric("meteor").signature() == "meteor|alpha:0.9|beta:3.0|gamma:0.5|tokenize:unicode|wordnet:null"


@pytest.mark.parametrize("name", ["", *FILES[:2]])
def test_a_folder_without_wordnet_is_refused_with_what_it_must_hold(tmp_path: Path, name: str) -> None:
    if name:
        write_wordnet(tmp_path)
        (tmp_path / name).unlink()
    with pytest.raises(eh.DataError, match=r"'wordnet' must name the folder of WordNet's database; No such file .*Unpack"):
        values(["a"], [["a"]], wordnet=str(tmp_path))


def test_files_that_are_no_wordnet_are_refused(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("nothing of the kind\n", encoding="utf-8")
    with pytest.raises(eh.DataError, match="holds no WordNet that can be read"):
        values(["a"], [["a"]], wordnet=str(tmp_path))


def test_a_word_is_matched_with_the_last_of_its_equals() -> None:
    assert align(["a"], ["a", "a"], None) == [(0, 1)]
    assert align(["a", "x", "a"], ["a", "a", "x"], None) == [(0, 0), (1, 2), (2, 1)]


def test_forms_go_before_stems() -> None:
    assert align(["runs", "run"], ["running", "runs"], None) == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("response", "references", "expected"),
    [
        ("", ["a"], 0.0),
        ("a", [""], 0.0),
        ("", [""], 0.0),
        ("x y", ["a b"], 0.0),
        ("a", ["a"], 0.5),
        ("a b c d", ["a b c d"], 1 - 0.5 / 4**3),
        ("A, B; c d!", ["x", "a b c d"], 1 - 0.5 / 4**3),
        ("東京", ["東京"], 1 - 0.5 / 2**3),
    ],
)
def test_edges(response: str, references: list[str], expected: float) -> None:
    assert values([response], [references]) == [pytest.approx(expected)]


def test_a_sample_without_references_is_unmeasured() -> None:
    assert eh.load_metric("meteor").measure(response=["x", "y"], references=[[], ["y"]]).unmeasured == {0: "no reference"}


def test_treebank_words_are_those_of_nltk_with_a_sentence_a_line() -> None:
    texts = ["Don't stop.\nIt's \"fine\".", "Do not stop. It's fine!"]
    words = [[word for line in text.splitlines() for word in nltk.word_tokenize(line, preserve_line=True)] for text in texts]
    found = values([texts[0]], [[texts[1]]], tokenize="treebank")
    agree("meteor", found, [meteor_score([words[1]], words[0], wordnet=NoSynonyms())])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha must be from 0 to 1, not 1.5"),
        ({"gamma": -0.1}, "gamma must be from 0 to 1, not -0.1"),
        ({"beta": -1.0}, "beta must be 0 or more, not -1.0"),
        ({"tokenize": "13a"}, "must be one of 'unicode', 'treebank', 'none', not '13a'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        eh.load_metric("meteor", **options)
