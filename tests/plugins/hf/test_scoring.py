"""Log-likelihoods of rows that share tokens, each architecture against one plain forward pass a row."""

from __future__ import annotations

import random
from typing import Any

import pytest
from evalharness_hf import packed, plain, prefix, scoring, support
from evalharness_hf.scored import Scored

from tests.plugins.hf.tiny import CONFIGS, VOCABULARY, WINDOW, tiny

TREE = {"llama", "gpt2", "qwen2", "qwen3", "qwen2_moe", "gemma", "mixtral", "doge", "bloom"}  # whatever the length
WINDOWED = {"gemma2", "mistral", "gpt_oss"}
DRAW = random.Random(3)


def tokens(count: int) -> list[int]:
    return [DRAW.randrange(VOCABULARY) for _ in range(count)]


def questions(shared: int, own: int, count: int) -> list[Scored]:
    """Return four choices each of questions whose contexts begin alike."""
    shots, rows = tokens(shared), []
    for _ in range(count):
        context = shots + tokens(own)
        rows += [Scored(context + tokens(length), len(context)) for length in (1, 1, 2, 3)]
    return rows


SHORT = questions(3, 4, 2)
FEW_SHOT = questions(80, 9, 4)
TEXTS = [Scored(row.ids, 1) for row in questions(5, 6, 2)]
APART = [Scored(tokens(length), length // 2) for length in (40, 3, 2, 70)]
NODES = {"short": 3 + 2 * (4 + 1 + 2), "few shots": 80 + 4 * (9 + 1 + 2), "texts": 5 + 2 * (6 + 1 + 2)}


def expected(model: Any, row: Scored) -> list[float]:
    import torch

    with torch.inference_mode():
        table = model(input_ids=torch.tensor([row.ids[:-1]]), use_cache=False).logits[0].double().log_softmax(-1)
    return [float(table[place, row.ids[place + 1]]) for place in row.places]


def remarks(model: Any) -> list[str]:
    """What is told of scoring; other tests may have generated with the same model."""
    return [remark for remark in support.remarks(model) if remark.startswith("sequences")]


def assert_equal_to_plain(model: Any, rows: list[Scored], budget: int = 1000) -> list[scoring.Found]:
    found = scoring.scored(model, rows, budget)
    for row, one in zip(rows, found, strict=True):
        assert one.logprobs == pytest.approx(expected(model, row), abs=1e-4)
    return found


def scoring_remarks(model: Any) -> list[str]:
    """Return what is remarked of scoring; tests of generation may have used the same model before."""
    return [remark for remark in support.remarks(model) if "scored" in remark]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_architecture_gives_the_numbers_of_plain_rows(name: str) -> None:
    model = tiny(name)
    prefix.forget(model)
    few_shots = assert_equal_to_plain(model, FEW_SHOT)
    short = assert_equal_to_plain(model, [*SHORT, *TEXTS, *APART])[: len(SHORT)]
    plain_tokens = sum(len(row.ids) - 1 for row in FEW_SHOT)
    if name in TREE:
        assert sum(found.run for found in few_shots) == 80 + sum(9 + 3 for _ in range(4))
        assert sum(found.run for found in short) < sum(len(row.ids) - 1 for row in SHORT) / 2
        assert scoring_remarks(model) == []
        return
    (remark,) = scoring_remarks(model)
    run = sum(found.run for found in few_shots)
    if name in ("mamba", "gpt", "phi3"):
        assert run == plain_tokens
        assert "scored with plain batches in place of prefix trees" in remark
        assert ("continuing kept prefixes: " in remark) == (name != "phi3")
        assert (f"positions are scaled otherwise beyond {WINDOW} tokens" in remark) == (name == "phi3")
        return
    assert run == 64 + plain_tokens - len(FEW_SHOT) * 64
    assert "scored with kept prefixes in place of prefix trees" in remark
    assert (f"trees of more than {WINDOW} tokens" in remark) == (name in WINDOWED)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_eager_attention_takes_the_mask_too(name: str) -> None:
    model = tiny(name, "eager")
    assert_equal_to_plain(model, FEW_SHOT)
    assert scoring_remarks(model) == []


def test_a_model_that_computes_all_logits_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama", "sdpa")
    real = type(model).forward

    def forward(self: Any, input_ids: Any, attention_mask: Any = None, position_ids: Any = None, **rest: Any) -> Any:
        assert "logits_to_keep" not in rest
        return real(self, input_ids, attention_mask=attention_mask, position_ids=position_ids, **rest)

    monkeypatch.setattr(model, "forward", forward.__get__(model))
    found = scoring.scored(model, FEW_SHOT, 1000)
    monkeypatch.undo()
    assert [one.logprobs for one in found] == [pytest.approx(expected(model, row), abs=1e-4) for row in FEW_SHOT]


def test_the_bytes_do_not_depend_on_what_ran_before_or_on_the_order() -> None:
    model = tiny("llama")
    prefix.forget(model)
    first = scoring.token_logprobs(model, FEW_SHOT, 60)
    backwards = scoring.token_logprobs(model, FEW_SHOT[::-1], 60)[::-1]
    scoring.scored(model, [*questions(70, 3, 2), *APART], 60)
    assert scoring.token_logprobs(model, FEW_SHOT, 60) == backwards == first


def test_what_is_shared_counts_for_the_row_that_ran_it() -> None:
    model = tiny("qwen2")
    prefix.forget(model)
    run = [found.run for found in scoring.scored(model, FEW_SHOT, 40)]
    again = [found.run for found in scoring.scored(model, FEW_SHOT, 40)]
    assert sum(run) - sum(again) == 64
    assert sum(count > 60 for count in run) == 1
    assert scoring.scored(model, [], 40) == []


def test_a_model_whose_numbers_differ_in_a_tree_is_not_asked_that_way(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("mpt")
    assert support._tree_difference(model) > 0.01
    monkeypatch.setattr(support, "_tree_difference", lambda model: 0.0)
    wrong = scoring.token_logprobs(model, SHORT, 1000)
    assert wrong[-1] != pytest.approx(expected(model, SHORT[-1]), abs=1e-2)


def test_the_check_tells_rounding_from_a_mask_that_is_not_heeded(causal_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    model = causal_model._local().network()
    assert max(support._tree_difference(model), support._reuse_difference(model)) < 1e-3
    monkeypatch.setattr(
        packed, "_mask", lambda tree, before, model: torch.zeros(1, 1, len(tree.tokens), before + len(tree.tokens))
    )
    assert support._tree_difference(model) > 2 * max(support.CLOSE.values())


def test_plain_rows_are_as_the_plain_module_has_them() -> None:
    model = tiny("gemma")
    alone = scoring.scored(model, APART, 1000)
    assert [found.run for found in alone] == [len(row.ids) - 1 for row in APART]
    assert [found.logprobs for found in alone] == [
        pytest.approx(values, abs=1e-5) for values in plain.token_logprobs(model, APART, 1000)
    ]


def test_a_model_that_says_much_is_told_of_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: Any) -> float:
        raise TypeError(f"{'Model(' * 100}\n  (layers): …")

    assert support._refusal(tiny("llama"), refuse) == f"TypeError: {('Model(' * 100)[: support.LONGEST]} …"
