"""Plain padded batches: how rows are put together, and what they are worth."""

from __future__ import annotations

import pytest
from evalharness_hf.model import HuggingFace
from evalharness_hf.network import has_plain_head
from evalharness_hf.plain import _batches, token_logprobs
from evalharness_hf.scored import Scored

ROWS = [Scored(list(range(length)), start) for length, start in [(3, 2), (5, 1), (9, 8), (40, 1), (4, 1)]]


@pytest.mark.parametrize(("budget", "most"), [(1000, 1000), (20, 1000), (1000, 9), (1, 1), (20, None)])
def test_batches_stay_under_the_budget_and_under_the_memory_for_logits(budget: int, most: int | None) -> None:
    order = [0, 4, 1, 2, 3]
    batches = list(_batches(order, ROWS, budget, most))
    assert [index for batch in batches for index in batch] == order
    for batch in batches:
        rows = [ROWS[index] for index in batch]
        places = set().union(*(row.places for row in rows))
        assert len(batch) == 1 or len(batch) * (max(len(row.ids) for row in rows) - 1) <= budget
        assert len(batch) == 1 or most is None or len(batch) * len(places) <= most


def test_everything_is_one_batch_where_there_is_room() -> None:
    assert list(_batches([0, 4, 1, 2, 3], ROWS, 1000, 1000)) == [[0, 4, 1, 2, 3]]


@pytest.mark.parametrize("does", ["nothing", "softcap", "scale"])
def test_rows_have_the_log_softmax_of_the_logits_of_the_model(does: str) -> None:
    import torch
    from transformers import CohereConfig, CohereForCausalLM, Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = {
        "nothing": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=64, n_embd=16, n_layer=2, n_head=2)),
        "softcap": lambda: Gemma2ForCausalLM(
            Gemma2Config(**sizes, num_key_value_heads=2, head_dim=8, final_logit_softcapping=0.1, pad_token_id=0)
        ),
        "scale": lambda: CohereForCausalLM(
            CohereConfig(**sizes, logit_scale=9.0, pad_token_id=0, eos_token_id=1, bos_token_id=2)
        ),
    }[does]().eval()
    assert has_plain_head(model) is (does == "nothing")
    found = token_logprobs(model, ROWS, 20)
    for row, values in zip(ROWS, found, strict=True):
        with torch.inference_mode():
            table = torch.log_softmax(model(input_ids=torch.tensor([row.ids[:-1]])).logits[0].double(), -1)
        assert values == pytest.approx([float(table[place, row.ids[place + 1]]) for place in row.places], abs=1e-5)


def test_many_places_are_taken_in_blocks(absolute_model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalharness_hf import plain

    network = absolute_model._local().network()
    whole = token_logprobs(network, ROWS, 64)
    monkeypatch.setattr(plain, "LOGITS_AT_ONCE_ON", {"cpu": 1})
    monkeypatch.setattr(plain, "ROWS_SUMMED_AT_ONCE", 3)
    blocks = token_logprobs(network, ROWS, 64)
    assert [len(row) for row in blocks] == [1, 4, 1, 39, 3]
    for one, other in zip(whole, blocks, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
