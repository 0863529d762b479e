"""Perplexity and bits per byte from a model's replies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import evalharness as eh
from evalharness import Likelihood, Response
from evalharness.testing import agree

TEXTS = ["one two  three", "Zürich\n東京 🙂", "x"]
LOGPROBS = [(-1.0, -2.5, -0.5), (-3.0, -0.25), (-7.0,)]


def rows(name: str, **options: Any) -> eh.Rows:
    replies = [[Response(logprobs=values)] for values in LOGPROBS]
    return eh.load_metric(name, of="text", **options).measure(text=TEXTS, answers=replies)


def corpus(name: str, **options: Any) -> float:
    sums = {key: sum(column) for key, column in rows(name, **options).statistics.items()}
    return float(eh.load_metric(name, of="text", **options).score(**sums))


def total() -> float:
    return -sum(map(sum, LOGPROBS))


def test_token_perplexity_is_the_exponential_of_the_mean_over_all_tokens() -> None:
    tokens = np.concatenate([np.array(values) for values in LOGPROBS])
    assert corpus("perplexity") == pytest.approx(float(np.exp(-tokens.mean())), abs=1e-9)


def test_word_and_byte_level_equal_the_rolling_metrics_of_the_reference_harness() -> None:
    # Its weights are the pieces that the expression \s+ leaves and the UTF-8 bytes: 3 + 3 + 1 and 14 + 19 + 1.
    agree("perplexity", corpus("perplexity", level="word"), math.exp(total() / 7))
    agree("perplexity", corpus("perplexity", level="byte"), math.exp(total() / 34))
    agree("bits_per_byte", corpus("bits_per_byte"), total() / 34 / math.log(2))


def test_bits_per_byte_is_the_logarithm_of_byte_perplexity() -> None:
    assert corpus("bits_per_byte") == pytest.approx(math.log2(corpus("perplexity", level="byte")), abs=1e-12)


def test_token_perplexity_equals_the_exponential_of_torch_cross_entropy() -> None:
    torch = pytest.importorskip("torch")
    logits, target = torch.randn(9, 30, generator=torch.Generator().manual_seed(0)).double(), torch.arange(9)
    logprobs = torch.log_softmax(logits, -1).gather(-1, target[:, None])[:, 0].tolist()
    metric = eh.load_metric("perplexity", of="text")
    found = metric.measure(text=["x"], answers=[[Response(logprobs=tuple(logprobs))]]).statistics
    value = metric.score(nll=found["nll"][0], size=found["size"][0])
    agree("perplexity", value, float(torch.nn.functional.cross_entropy(logits, target).exp()))


@pytest.mark.parametrize("name", ["perplexity", "bits_per_byte"])
def test_it_asks_for_the_likelihood_of_the_chosen_field_once(name: str) -> None:
    metric = eh.load_metric(name, of="references")
    assert metric.reads == ("references",)
    asked = metric.ask(references=[["a", " ", "b"], []], answers=[[], []])
    assert asked == [[Likelihood(text="a"), Likelihood(text="b")], []]
    replies = [[Response(logprobs=(-1.0,))] * 2, []]
    assert metric.ask(references=[["a", " ", "b"], []], answers=replies) == [[], []]


def test_several_references_add_up() -> None:
    metric = eh.load_metric("perplexity", of="references", level="word")
    replies = [[Response(logprobs=(-1.0,)), Response(logprobs=(-2.0, -4.0))]]
    assert metric.measure(references=[["a b", "c"]], answers=replies).statistics == {"nll": [7.0], "size": [3]}


@pytest.mark.parametrize(
    ("of", "value", "reason"),
    [
        ("response", "", "empty response"),
        ("response", " \n", "empty text"),
        ("text", "", "empty text"),
        ("references", [], "no reference"),
        ("references", ["", " "], "empty text"),
    ],
)
def test_a_sample_without_text_is_unmeasured(of: str, value: Any, reason: str) -> None:
    metric = eh.load_metric("perplexity", of=of)
    assert metric.ask(**{of: [value]}, answers=[[]]) == [[]]
    assert metric.measure(**{of: [value]}, answers=[[]]).unmeasured == {0: reason}


@pytest.mark.parametrize("level", ["token", "word", "byte"])
def test_a_text_of_which_no_token_was_scored_is_unmeasured(level: str) -> None:
    metric = eh.load_metric("perplexity", of="text", level=level)
    assert metric.measure(text=["x"], answers=[[Response(logprobs=())]]).unmeasured == {0: "no token was scored"}


def test_an_impossible_token_makes_an_infinite_statistic_which_the_harness_reports() -> None:
    metric = eh.load_metric("perplexity", of="text")
    assert metric.measure(text=["x"], answers=[[Response(logprobs=(-math.inf,))]]).statistics["nll"] == [math.inf]


def test_a_value_beyond_floats_is_infinite_without_a_warning() -> None:
    assert eh.load_metric("perplexity").score(nll=np.array([1e6, 1.0]), size=np.array([1, 1])).tolist() == [math.inf, math.e]


def test_the_unit_says_what_the_likelihood_is_counted_per() -> None:
    units = [eh.load_metric("perplexity", level=level).unit for level in ("token", "word", "byte")]
    assert units == ["per token", "per word", "per byte"]


def test_the_signature_names_the_field_the_level_and_the_model() -> None:
    metric = eh.load_metric("perplexity", model={"echo": {}})
    assert metric.signature().startswith("perplexity|of:response|model:")
    assert metric.signature().endswith("|level:token")
    assert eh.load_metric("perplexity").signature() == "perplexity|of:response|model:null|level:token"


@pytest.mark.parametrize("prompt", ["Why? ", [{"role": "user", "content": "Why?"}]])
def test_after_a_prompt_references_are_asked_about_as_its_continuations(prompt: Any) -> None:
    metric = eh.load_metric("perplexity", of="references", given="prompt")
    assert metric.reads == ("references", "prompt")
    turns = prompt if isinstance(prompt, str) else (eh.Message("user", "Why?"),)
    asked = metric.ask(references=[["so", "thus"]], prompt=[prompt], answers=[[]])
    assert asked == [[eh.Choose(prompt=turns, choices=(text,), delimiter="") for text in ("so", "thus")]]
    replies = [Response(logprobs=(-2.0,), tokens=(2,)), Response(logprobs=(-3.0,), tokens=(3,))]
    found = metric.measure(references=[["so", "thus"]], prompt=[prompt], answers=[replies])
    assert (found.statistics["nll"], found.statistics["size"]) == ([5.0], [5])
    assert metric.signature() == "perplexity|of:references|given:prompt|model:null|level:token"
