"""BERTScore against bert-score 0.3.13 with the same encoder and layer."""

from __future__ import annotations

import csv
import functools
import random
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from evalharness_hf import bert_score as module
from evalharness_hf.bert_score import PARTS, BertScore
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree, check_metric

WEIGHTS = "all-minilm-l6-v2"
PAIRS = [
    ("The mill burned down.", ["The mill burned up.", "Fire destroyed the old mill by the river in one night."]),
    ("mill", ["mill"]),
    ("", ["not empty"]),
    ("not empty", ["", "something not empty at all"]),
    ("Ünïcödé e\u0301 مرحبا 你好 😀", ["unicode", "مرحبا بالعالم"]),
    ("no", ["yes"]),
    ("12 34", ["1234", "12 34 56"]),
    ("  spaces around  ", ["spaces around"]),
]


@functools.cache
def scorer(layer: int) -> Any:
    """bert-score with the same weights; transformers 5 no longer has the method that it calls for an empty text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bert_score import BERTScorer

        made = BERTScorer(model_type=str(eh.resolve_weights(WEIGHTS)), num_layers=layer, device="cpu")
    tokenizer = made._tokenizer
    tokenizer.build_inputs_with_special_tokens = lambda ids: [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]
    return made


def oracle(responses: Sequence[str], references: Sequence[Sequence[str]], layer: int = 6) -> list[list[float]]:
    """Precision, recall and F1 of each row by bert-score, asked pair by pair: its padding counts as similarity 0."""
    found = scorer(layer).score(list(responses), [list(row) for row in references], batch_size=1)
    return [column.tolist() for column in found]


def assert_equal(
    metric: BertScore, responses: Sequence[str], references: Sequence[Sequence[str]], expected: list[list[float]]
) -> None:
    rows = metric.measure(response=responses, references=references).statistics
    for part, column in zip(PARTS, expected, strict=True):
        agree("bert_score", rows[part], column, tolerance=1e-4)


@pytest.mark.parametrize("layer", [None, 6, 3])
def test_values_are_those_of_the_reference_implementation(layer: int | None) -> None:
    responses, references = zip(*PAIRS, strict=True)
    assert_equal(BertScore(layer=layer), responses, references, oracle(responses, references, layer or 6))


def test_values_agree_on_real_pairs(labelled_data: Callable[[str], Path]) -> None:
    with labelled_data("stsb_en_dev/stsb-en-dev.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))[::25]
    responses, references = [row[0] for row in rows], [[row[1]] for row in rows]
    assert len(rows) > 50
    assert_equal(BertScore(), responses, references, oracle(responses, references))


@settings(max_examples=8)
@given(st.lists(st.tuples(st.text(max_size=12), st.lists(st.text(max_size=12), min_size=1, max_size=2)), min_size=1, max_size=4))
def test_values_agree_on_random_text(pairs: list[tuple[str, list[str]]]) -> None:
    responses, references = zip(*pairs, strict=True)
    assert_equal(BertScore(), responses, references, oracle(responses, references))


def test_idf_weights_are_those_of_the_reference_implementation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [pair for pair in PAIRS if pair[0] and all(pair[1])]  # without tokens the original gives NaN, not 0
    responses, references = zip(*pairs, strict=True)
    sentences = [text for row in references for text in row]
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join(sentences) + "\n", "utf-8")
    original = scorer(6)
    monkeypatch.setattr(original, "_idf", True)
    monkeypatch.setattr(original, "nthreads", 0)
    monkeypatch.setattr(original, "_idf_dict", None)
    original.compute_idf(sentences)
    metric = BertScore(idf=eh.File(str(path)))
    assert_equal(metric, responses, references, oracle(responses, references))
    assert_differs(metric, BertScore(), responses, references)


def assert_differs(one: BertScore, other: BertScore, responses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    first, second = (metric.measure(response=responses, references=references).statistics[".f1"] for metric in (one, other))
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 1e-3


def test_a_baseline_rescales_each_part_and_the_range() -> None:
    bare, rescaled = BertScore(), BertScore(baseline=(0.2, 0.3, 0.25))
    columns = {"response": ["The mill burned down.", ""], "references": [["A mill burned."], ["x"]]}
    for part, b in zip(PARTS, (0.2, 0.3, 0.25), strict=True):
        plain = bare.measure(**columns).statistics[part]
        assert rescaled.measure(**columns).statistics[part] == pytest.approx([(value - b) / (1 - b) for value in plain])
    assert bare.range == (-1.0, 1.0)
    assert rescaled.range == (pytest.approx(-1.3 / 0.7), 1.0)


def test_no_value_passes_1_by_rounding() -> None:
    texts = ["the", "a" * 3000, "日本", "The mill burned down."]
    rows = BertScore().measure(response=texts, references=[[text] for text in texts])
    assert all(0.9999 < value <= 1 for part in PARTS for value in rows.statistics[part])


def test_samples_without_references_are_unmeasured() -> None:
    rows = BertScore().measure(response=["a", "b"], references=[[], ["b"]])
    assert rows.unmeasured == {0: "no reference"}
    assert rows.statistics[".f1"][1] == pytest.approx(1, abs=1e-5)


def test_metrics_with_one_encoder_and_layer_share_its_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []
    real = module._encoded
    monkeypatch.setattr(module, "_encoded", lambda *arguments: (calls.append(arguments), real(*arguments))[1])
    path = tmp_path / "sentences.txt"
    path.write_text("a b\nc\n", "utf-8")
    columns = {"response": ["a b"], "references": [["b c"]]}
    batch = eh.Batch(columns)
    for metric in (BertScore(), BertScore(baseline=(0.1, 0.1, 0.1)), BertScore(idf=eh.File(str(path))), BertScore(layer=2)):
        metric.measure(**columns, batch=batch)
    assert len(calls) == 2


def test_references_are_encoded_once_and_responses_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalharness_hf.encoder import TokenStates

    asked: list[list[str]] = []
    real = TokenStates.encoded
    monkeypatch.setattr(TokenStates, "encoded", lambda self, texts, layer: asked.append(list(texts)) or real(self, texts, layer))
    module.REFERENCES.clear()
    first, second = ({"response": [text], "references": [["a mill", "the mill"]]} for text in ("one", "two"))
    for columns in (first, second, first):
        BertScore().measure(**columns)
    assert asked == [["a mill", "the mill", "one"], ["two"], ["one"]]
    assert module.REFERENCES.held < module.REFERENCES.most == 256 * 2**20


def test_values_do_not_depend_on_order_or_batches(labelled_data: Callable[[str], Path]) -> None:
    with labelled_data("stsb_en_dev/stsb-en-dev.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))[::15]
    module.REFERENCES.clear()
    whole = BertScore().measure(response=[row[0] for row in rows], references=[[row[1]] for row in rows]).statistics[".f1"]
    module.REFERENCES.clear()
    shuffled = random.Random(0).sample(range(len(rows)), len(rows))
    for start in range(0, len(rows), 7):
        part = shuffled[start : start + 7]
        columns = {"response": [rows[row][0] for row in part], "references": [[rows[row][1]] for row in part]}
        found = BertScore().measure(**columns).statistics[".f1"]
        assert found == pytest.approx([whole[row] for row in part], abs=1e-4)


@pytest.mark.parametrize("options", [{}, {"layer": 2, "baseline": (0.2, 0.2, 0.2)}], ids=str)
def test_it_keeps_its_contract(options: dict[str, Any]) -> None:
    check_metric(eh.load_metric("bert_score", **options))


def test_its_signature_follows_the_content_of_the_idf_file(tmp_path: Path) -> None:
    path = tmp_path / "sentences.txt"
    path.write_text("a\n", "utf-8")
    metric = BertScore(idf=eh.File(str(path), written="sentences.txt"))
    first = metric.signature()
    assert first.startswith("bert_score|weights:all-minilm-l6-v2|layer:null|idf:sentences.txt|")
    path.write_text("b c\n", "utf-8")
    assert metric.signature() != first


def test_wrong_options_and_files_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(eh.UsageError, match="three numbers"):
        eh.load_metric("bert_score", baseline=(0.5,))
    with pytest.raises(eh.UsageError, match="three numbers"):
        eh.load_metric("bert_score", baseline=(0.5, 0.5, 1.0))
    with pytest.raises(eh.UsageError, match="0 or more"):
        eh.load_metric("bert_score", layer=-1)
    columns = {"response": ["a"], "references": [["b"]]}
    with pytest.raises(eh.UsageError, match="has 6 layers; option 'layer' asks for 7"):
        BertScore(layer=7).measure(**columns)
    with pytest.raises(eh.DataError, match="cannot be read"):
        BertScore(idf=eh.File(str(tmp_path / "absent.txt"))).measure(**columns)
    (tmp_path / "empty.txt").write_text("", "utf-8")
    with pytest.raises(eh.DataError, match="is empty"):
        BertScore(idf=eh.File(str(tmp_path / "empty.txt"))).measure(**columns)
