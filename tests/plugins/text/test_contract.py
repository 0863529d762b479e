"""What every text metric owes the harness: the conformance kit, and a description that says what the number is."""

from __future__ import annotations

from typing import Any

import pytest

import evalharness as eh
from evalharness.testing import check_metric

METRICS = [
    ("exact_match", {}),
    ("exact_match", {"normalise": "none"}),
    ("token_f1", {}),
    ("token_f1", {"normalise": "none"}),
    ("exact_match", {"normalise": "triviaqa"}),
    ("token_f1", {"normalise": ["nfkc", "lowercase", {"remove": "[.]"}, "articles"]}),
    ("squad_exact_match", {}),
    ("squad_f1", {}),
    ("contains_answer", {}),
    ("contains_answer", {"normalise": "numeric"}),
    ("number_match", {}),
    ("number_match", {"which": "any", "relative": 0.1}),
    ("wer", {}),
    ("wer", {"normalise": "words"}),
    ("cer", {"normalise": ["accents", "punctuation"]}),
    ("mer", {}),
    ("wil", {}),
    ("wip", {}),
    ("edit_similarity", {"normalise": "squad"}),
    ("distinct_n", {"n": (1, 3)}),
    ("repetition_rate", {"n": 2}),
    ("self_bleu", {}),
    ("length_ratio", {}),
    ("json_validity", {}),
    ("json_schema_match", {}),
    ("bleu", {}),
    ("bleu", {"order": 2, "tokenize": "char", "effective_order": True, "smooth": "add-k"}),
    ("rouge", {}),
    ("rouge", {"stemmer": True, "variants": ("rougeLsum",)}),
    ("rouge", {"variants": ("rouge9", "rougeW", "rougeS", "rougeSU"), "tokenize": "unicode", "gap": None, "report": "recall"}),
    ("meteor", {}),
    ("meteor", {"tokenize": "treebank", "gamma": 0.0}),
    ("perplexity", {}),
    ("perplexity", {"of": "references", "level": "word"}),
    ("bits_per_byte", {"of": "text"}),
    ("choice_accuracy", {}),
    ("choice_accuracy", {"normalise": "bytes"}),
    ("refusal_correctness", {}),
]
every_metric = pytest.mark.parametrize(("name", "options"), METRICS, ids=str)


@every_metric
def test_it_keeps_its_contract(name: str, options: dict[str, Any]) -> None:
    check_metric(eh.load_metric(name, **options))


@every_metric
def test_it_describes_itself(name: str, options: dict[str, Any]) -> None:
    metric = eh.load_metric(name, **options)
    documentation = type(metric).__doc__ or ""
    bounds = ("0 to 1", "0 to 100", "1 or more", "0 or more")
    assert any(bound in documentation.splitlines()[0] for bound in bounds)
    assert ">>>" in documentation
    assert metric.cite
    assert metric.reference
