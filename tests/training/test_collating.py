"""From texts to batches: which tokens count, what is cut, what is padded, packed and paired."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh
from evalharness.errors import DataError
from evalharness.training.collating import (
    IGNORED,
    Example,
    Pair,
    PairCollator,
    Row,
    TableCollator,
    TokenCollator,
    Turn,
    encode,
    mismatched,
)
from tests.training.models import examples

TURNS = (Turn("user", "How old?"), Turn("assistant", "Seven."), Turn("user", "Sure?"), Turn("assistant", "Yes, seven."))


@pytest.fixture(scope="module")
def tokens() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(eh.resolve_weights("smollm2-135m-instruct"), local_files_only=True)


@pytest.fixture(scope="module")
def plain() -> Any:
    """A tokenizer without a chat template."""
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(eh.resolve_weights("smollm2-135m-instruct"), local_files_only=True)
    found.chat_template = None
    return found


def counted(example: Example, tokens: Any) -> str:
    return tokens.decode([token for token, weight in zip(example.ids, example.weights, strict=True) if weight])


def test_only_the_last_answer_counts_after_a_prompt(tokens: Any) -> None:
    example = encode(TURNS, tokens, "prompt", 200, "a")
    assert counted(example, tokens) == "Yes, seven.<|im_end|>"
    assert tokens.decode(example.ids).endswith("assistant\nYes, seven.<|im_end|>")


def test_every_answer_counts_with_turns(tokens: Any) -> None:
    assert counted(encode(TURNS, tokens, "turns", 200, "a"), tokens) == "Seven.<|im_end|>Yes, seven.<|im_end|>"


@pytest.mark.parametrize(
    ("mask", "others", "first", "rest"),
    [("turns", 0.0, 0.25, 0.0), ("turns", 0.5, 0.25, 0.5), ("none", 0.0, 0.25, 1.0), ("prompt", 0.5, 0.5, 0.5)],
)
def test_an_answer_counts_by_the_weight_of_its_turn(tokens: Any, mask: Any, others: float, first: float, rest: float) -> None:
    turns = (TURNS[0], TURNS[1]._replace(weight=0.25), TURNS[2], TURNS[3]._replace(weight=2.0))
    example = encode(turns, tokens, mask, 200, "a", others=others)
    assert example.ids == encode(TURNS, tokens, mask, 200, "a").ids
    answer, last = (len(tokens(text)["input_ids"]) for text in ("Seven.<|im_end|>", "Yes, seven.<|im_end|>"))
    *_, ends, _, _ = [place for place, token in enumerate(example.ids) if token == tokens.eos_token_id]  # of the first answer
    assert set(example.weights[ends - answer + 1 : ends + 1]) == {first}
    assert set(example.weights[-last:]) == {2.0}
    assert set(example.weights[1 : ends - answer + 1]) == set(example.weights[ends + 1 : -last]) == {rest}


def test_an_answer_of_weight_0_counts_for_nothing_whatever_the_others_do(tokens: Any) -> None:
    turns = (*TURNS[:1], TURNS[1]._replace(weight=0.0), *TURNS[2:])
    with_others = encode(turns, tokens, "turns", 200, "a", others=0.5)
    answer = counted(encode(TURNS[:2], tokens, "turns", 200, "a"), tokens)
    masked = tokens.decode(
        [token for token, weight in zip(with_others.ids[1:], with_others.weights[1:], strict=True) if not weight]
    )
    assert masked == answer
    with pytest.raises(
        DataError, match=r"sample 'a' has no token that counts \(mask: prompt\): its answer is empty, or weighs 0"
    ):
        encode((*TURNS[:3], TURNS[3]._replace(weight=0.0)), tokens, "prompt", 200, "a", others=0.5)


def test_every_token_but_the_first_counts_without_a_mask(tokens: Any) -> None:
    example = encode(TURNS, tokens, "none", 200, "a")
    assert example.weights == (0.0, *[1.0] * (len(example.ids) - 1))


def test_masks_change_weights_and_no_tokens(tokens: Any) -> None:
    assert len({encode(TURNS, tokens, mask, 200, "a").ids for mask in ("prompt", "none", "turns")}) == 1


def test_the_prompt_is_that_of_generation(tokens: Any) -> None:
    """What a model is trained to continue is what it is asked to continue."""
    example = encode(TURNS[:2], tokens, "prompt", 200, "a")
    messages = [{"role": "user", "content": "How old?"}]
    asked = tokens(tokens.apply_chat_template(messages, tokenize=False, add_generation_prompt=True), add_special_tokens=False)
    first = example.weights.index(1.0)
    assert list(example.ids[:first]) == asked["input_ids"]


def test_without_a_template_texts_stand_side_by_side_and_answers_end(plain: Any) -> None:
    example = encode((Turn("user", "1 + 1 ="), Turn("assistant", " 2")), plain, "prompt", 50, "a")
    assert plain.decode(example.ids) == "1 + 1 = 2<|im_end|>"
    assert counted(example, plain) == " 2<|im_end|>"


def test_what_does_not_fit_is_cut_and_counted(tokens: Any) -> None:
    whole = encode(TURNS, tokens, "none", 200, "a")
    example = encode(TURNS, tokens, "none", 30, "a")
    assert (example.ids, example.cut) == (whole.ids[:30], len(whole.ids) - 30)
    assert whole.cut == 0


def test_a_sample_without_anything_that_counts_is_refused(tokens: Any, plain: Any) -> None:
    with pytest.raises(DataError, match=r"'q1' has no token that counts .* only 10 of its \d+ tokens fit; raise max_length"):
        encode(TURNS, tokens, "prompt", 10, "q1")
    with pytest.raises(DataError, match="sample 'q1' does not end in a turn of the assistant"):
        encode(TURNS[:1], tokens, "prompt", 100, "q1")


def test_a_template_that_rewrites_turns_cannot_tell_answers(tokens: Any) -> None:
    class Rewriting:
        chat_template = "some"
        eos_token_id = 2

        def apply_chat_template(self, messages: Any, **_: Any) -> str:
            return f"{len(messages)} turns"

    with pytest.raises(DataError, match="writes a turn otherwise once more turns follow"):
        encode(TURNS, Rewriting(), "turns", 100, "q1")


@given(lengths=st.lists(st.integers(2, 20), min_size=1, max_size=12))
def test_packing_keeps_every_document_whole_and_apart(lengths: list[int]) -> None:
    made = [Example(tuple(range(100 * n, 100 * n + size)), (1.0,) * size, f"s{n}") for n, size in enumerate(lengths)]
    batch = TokenCollator(pad=0, packing=True)(made)
    assert batch["input_ids"].numel() <= len(lengths) * max(lengths)
    found = []
    for row, names in enumerate(batch["samples"]):
        for place, name in enumerate(names):
            where = (batch["document_ids"][row] == place).nonzero()[:, 0]
            assert where.tolist() == list(range(int(where[0]), int(where[-1]) + 1))
            assert batch["position_ids"][row, where].tolist() == list(range(len(where)))
            assert batch["labels"][row, where[0]] == IGNORED
            assert batch["attention_mask"][row, where].all()
            found.append((name, tuple(batch["input_ids"][row, where].tolist())))
    assert sorted(found) == sorted((example.sample, example.ids) for example in made)
    assert int(batch["attention_mask"].sum()) == sum(lengths)


@given(seed=st.integers(0, 20), number=st.integers(1, 9))
def test_packing_counts_what_padding_counts(seed: int, number: int) -> None:
    padded, packed = (TokenCollator(pad=0, packing=packing)(examples(number, seed)) for packing in (False, True))
    for name in ("labels", "token_weight"):
        counts = [(batch[name] > 0).sum() for batch in (padded, packed)]
        assert counts[0] == counts[1]
    assert packed["input_ids"].numel() <= padded["input_ids"].numel()


def test_pairs_are_blocks_of_rows_with_their_references() -> None:
    one, other = examples(2)
    pairs = mismatched([Pair(one, other, references=(("chosen", -1.0), ("rejected", -2.0)))] * 2)
    batch = PairCollator(pad=0)(pairs)
    assert batch["sides"] == ("chosen", "rejected", "kl_chosen", "kl_rejected")
    assert batch["input_ids"].shape[0] == 8
    assert batch["ref_rejected_logps"].tolist() == [-2.0, -2.0]
    assert "ref_kl_chosen_logps" not in batch
    assert batch["samples"][:4] == (("s0",), ("s0",), ("s1",), ("s1",))


def test_tables_have_weights_where_every_row_has_one() -> None:
    rows = [Row((1.0,), 0.5, "a", weight=2.0), Row((2.0,), 1.0, "b", weight=0.0)]
    assert TableCollator()(rows)["sample_weight"].tolist() == [2.0, 0.0]
    assert "sample_weight" not in TableCollator()([rows[0], Row((1.0,), 0.5, "c")])
    assert TableCollator()(rows)["target"].dtype == torch.float32
