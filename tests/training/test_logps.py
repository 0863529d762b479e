"""Log-probabilities of sequences, against a softmax over full logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from evalharness.training import logps
from evalharness.training.logps import sequence_logps, sequence_logps_of_hidden

IGNORED = -100


def made(dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(1)
    labels = torch.randint(7, (4, 9), generator=chance)
    labels[0, :5], labels[1, 3], labels[2, 6:], labels[3] = IGNORED, IGNORED, IGNORED, IGNORED
    hidden = torch.randn(4, 9, 3, generator=chance, dtype=torch.float64).to(dtype).requires_grad_()
    head = torch.randn(7, 3, generator=chance, dtype=torch.float64).to(dtype).requires_grad_()
    return {"hidden": hidden, "head_weight": head, "labels": labels}


def test_a_label_is_predicted_by_the_place_before_it() -> None:
    given = made()
    logits = given["hidden"] @ given["head_weight"].T
    sums, tokens = sequence_logps(logits, given["labels"])
    expected = [
        sum(logits[row, place - 1].log_softmax(-1)[label] for place, label in enumerate(labels) if place and label != IGNORED)
        for row, labels in enumerate(given["labels"].tolist())
    ]
    torch.testing.assert_close(sums, torch.stack([torch.as_tensor(value, dtype=torch.float64) for value in expected]))
    assert tokens.tolist() == [4, 7, 5, 0]


def test_a_sequence_without_labels_is_0_with_a_gradient_of_0() -> None:
    given = made()
    sums, _ = sequence_logps(given["hidden"] @ given["head_weight"].T, given["labels"])
    sums.sum().backward()
    assert sums[3] == 0
    assert given["hidden"].grad[3].abs().max() == 0


@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_hidden_states_give_the_same_sums_and_gradients(at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logps, "AT_A_TIME", at_a_time)
    one, other = made(), made()
    whole, counts = sequence_logps(one["hidden"] @ one["head_weight"].T, one["labels"])
    parts, numbers = sequence_logps_of_hidden(**other)
    slopes = torch.arange(4, dtype=torch.float64)
    (whole * slopes).sum().backward()
    (parts * slopes).sum().backward()
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=0)
    assert numbers.tolist() == counts.tolist()
    for name in ("hidden", "head_weight"):
        torch.testing.assert_close(other[name].grad, one[name].grad, rtol=1e-9, atol=1e-12)


def test_half_precision_is_summed_in_float32() -> None:
    given = made(torch.bfloat16)
    full = made(torch.float32)
    sums, _ = sequence_logps_of_hidden(**given)
    expected, _ = sequence_logps_of_hidden(**full)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(sums, expected, rtol=3e-2, atol=0)


def test_no_labels_at_all_are_sums_of_0() -> None:
    given = made()
    given["labels"].fill_(IGNORED)
    sums, tokens = sequence_logps_of_hidden(**given)
    sums.sum().backward()
    assert sums.tolist() == [0, 0, 0, 0]
    assert tokens.tolist() == [0, 0, 0, 0]
