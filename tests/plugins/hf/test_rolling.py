"""Log-likelihoods of texts in windows, against lm-evaluation-harness and against each token alone with its context."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from evalharness_hf.model import HuggingFace
from evalharness_hf.plain import token_logprobs
from evalharness_hf.rolling import Rolling
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh

TEXTS = ("The cat sat on the mat.", "", "Le", "A long text: " + "one two, three; " * 9, "x = 12 * (3 + 4)  # 猫 " * 4)


def scored(model: HuggingFace, texts: tuple[str, ...] = TEXTS) -> list[tuple[float, ...]]:
    """The log-likelihoods of texts, asked together."""
    found = dict(model.answer([eh.Likelihood(text=text) for text in texts]))
    return [found[eh.Likelihood(text=text)].logprobs for text in texts]


def alone(network: Any, whole: list[int], place: int, begin: int) -> float:
    """The log-likelihood of the token at a place, given those from `begin` on and nothing else."""
    import torch

    with torch.inference_mode():
        logits = network(input_ids=torch.tensor([whole[begin:place]])).logits[0, -1].double()
    return float(torch.log_softmax(logits, -1)[whole[place]])


@given(st.integers(0, 40), st.integers(1, 12), st.data())
def test_windows_are_those_of_the_rolling_scheme(length: int, context: int, data: st.DataObject) -> None:
    from lm_eval import utils

    stride = data.draw(st.none() | st.integers(1, context))
    ids, reader = list(range(length)), SimpleNamespace(prefixed=lambda ids: [-100, *ids])
    found = [(row.ids[: row.start], row.ids[row.start :]) for row in Rolling(context, stride).windows(ids, reader)]
    theirs = utils.get_rolling_token_windows(ids, -100, max_seq_len=context, context_len=context - (stride or context) + 1)
    assert found == [utils.make_disjoint_window(window) for window in theirs]
    assert [token for _, tokens in found for token in tokens] == ids


@settings(max_examples=25)
@given(st.lists(st.integers(0, 49151), max_size=24), st.integers(1, 9), st.data())
def test_each_token_is_scored_once_with_the_stated_context(
    absolute_model: HuggingFace, ids: list[int], context: int, data: st.DataObject
) -> None:
    local = absolute_model._local()
    rolling = Rolling(context, data.draw(st.none() | st.integers(1, context)))
    whole, network = [local.tokens.prefix, *ids], local.network()
    expected = [
        alone(network, whole, token + 1, begin) for begin, first, last in rolling.spans(len(ids)) for token in range(first, last)
    ]
    found = [value for row in token_logprobs(network, rolling.windows(ids, local.tokens), 64) for value in row]
    assert found == pytest.approx(expected, abs=1e-4)
    assert len(found) == len(ids)


@pytest.mark.parametrize("context", [1, 7, 24, None])
def test_texts_have_the_likelihood_that_lm_eval_gives_them(absolute_model: HuggingFace, context: int | None) -> None:
    _agrees(HuggingFace(weights=absolute_model.weights, context=context))


def test_real_weights_give_texts_the_likelihood_that_lm_eval_gives_them(causal_model: HuggingFace) -> None:
    _agrees(HuggingFace(weights=causal_model.weights, context=16))


def _agrees(model: HuggingFace) -> None:
    """Hold a model against HFLM, which is asked for a double log-softmax: its own, of float32, is up to 3e-6 off the truth."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(eh.resolve_weights(model.weights), local_files_only=True)
    most = {"max_length": model.context or 128, "batch_size": 2, "softmax_dtype": "float64"}
    peer = HFLM(pretrained=model._local().network(), tokenizer=tokenizer, **most)
    texts = tuple(text for text in TEXTS if text)
    asked = [Instance("loglikelihood_rolling", {}, (text,), index) for index, text in enumerate(texts)]
    expected = peer.loglikelihood_rolling(asked, disable_tqdm=True)
    assert [sum(values) for values in scored(model, texts)] == pytest.approx(expected, rel=1e-6)


def test_a_text_of_exactly_a_window_is_one_window() -> None:
    assert Rolling(4).spans(4) == [(0, 0, 4)]
    assert Rolling(4, 2).spans(4) == [(0, 0, 4)]
    assert Rolling(4).spans(5) == [(0, 0, 4), (1, 4, 5)]
    assert Rolling(4).spans(0) == []


def test_a_smaller_stride_gives_tokens_more_context(absolute_model: HuggingFace) -> None:
    whole, half, each = (
        scored(HuggingFace(weights=absolute_model.weights, context=16, stride=stride)) for stride in (None, 8, 1)
    )
    assert whole[0] == half[0] == each[0]  # shorter than a window
    assert whole[3] != half[3] != each[3]
    assert whole[1] == ()


def test_windows_belong_to_the_identity_only_where_they_are_set(absolute_model: HuggingFace) -> None:
    made = [
        HuggingFace(weights=absolute_model.weights, context=context, stride=stride).identity()
        for context, stride in [(16, None), (16, 8), (None, 8), (None, None)]
    ]
    assert len(set(made)) == 4
    assert made[-1] == absolute_model.identity()


def test_windows_that_cannot_be_are_refused(absolute_model: HuggingFace) -> None:
    with pytest.raises(eh.UsageError, match="'stride' is 9, but a window holds 8 tokens"):
        eh.load_model("hf", context=8, stride=9)
    with pytest.raises(eh.UsageError, match="'context' must be at least 1, not 0"):
        eh.load_model("hf", context=0)
    for options in ({"context": 129}, {"stride": 129}):
        with pytest.raises(eh.UsageError, match="is 129, but"):
            list(HuggingFace(weights=absolute_model.weights, **options).plan([eh.Likelihood(text="a")]))
