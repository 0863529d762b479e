"""CTC against torch and all paths, minimum risk and REINFORCE against closed forms and all sequences of a small policy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

import evalharness as eh

ANY = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
IGNORED = -100


def spoken(seed: int = 0, frames: int = 9, length: int = 4) -> dict[str, Any]:
    """Return logits of five classes, labels of different lengths, and how many frames are real."""
    chance = torch.Generator().manual_seed(seed)
    labels = torch.randint(1, 5, (3, length), generator=chance)
    labels[1, 1:], labels[2, -1] = IGNORED, IGNORED
    logits = torch.randn(3, frames, 5, generator=chance, dtype=torch.float64)
    return {"logits": logits, "labels": labels, "frames": torch.tensor([frames, frames - 1, frames - 2])}


def of_torch(reduction: str, blank: int = 0) -> Any:
    def compute(logits: Any, labels: Any, frames: Any) -> Any:
        lengths = (labels != IGNORED).sum(1)
        log_p = logits.log_softmax(-1).transpose(0, 1)
        found = functional.ctc_loss(log_p, labels[labels != IGNORED], frames, lengths, blank=blank, reduction=reduction)
        return found.mean()

    return compute


def all_paths(logits: Any, labels: list[int], blank: int) -> Any:
    """Return -log of the summed probability of every path that spells the labels."""
    log_p = logits.log_softmax(-1)
    paths = itertools.product(range(logits.shape[1]), repeat=logits.shape[0])
    spelling = [path for path in paths if [kind for kind, _ in itertools.groupby(path) if kind != blank] == labels]
    places = torch.arange(logits.shape[0])
    return -torch.stack([log_p[places, torch.tensor(path)].sum() for path in spelling]).logsumexp(0)


@ANY
@given(seed=st.integers(0, 10**6), per_label=st.booleans())
def test_ctc_is_that_of_torch(same: Any, seed: int, per_label: bool) -> None:
    same(eh.load_loss("ctc", per_label=per_label), of_torch("mean" if per_label else "none"), spoken(seed))


@pytest.mark.parametrize(("labels", "blank"), [([1], 0), ([1, 2], 0), ([1, 1], 0), ([0, 2, 0], 1)])
def test_ctc_is_the_sum_over_all_paths(same: Any, labels: list[int], blank: int) -> None:
    chance = torch.Generator().manual_seed(3)
    tensors = {"logits": torch.randn(1, 4, 3, generator=chance, dtype=torch.float64), "labels": torch.tensor([labels])}
    same(eh.load_loss("ctc", blank=blank), lambda logits, labels: all_paths(logits[0], labels[0].tolist(), blank), tensors)


def test_labels_may_have_gaps(same: Any) -> None:
    tensors = spoken()
    gappy = torch.full((3, 7), IGNORED)
    gappy[:, [0, 2, 4, 6]] = tensors["labels"]
    loss = eh.load_loss("ctc")
    torch.testing.assert_close(loss(**{**tensors, "labels": gappy}), loss(**tensors))


def test_frames_beyond_the_real_ones_have_no_influence() -> None:
    tensors = spoken()
    tensors["logits"].requires_grad_()
    eh.load_loss("ctc")(**tensors).backward()
    assert tensors["logits"].grad[2, 7:].abs().max() == 0


def test_without_frames_all_are_real() -> None:
    tensors = spoken()
    tensors["frames"].fill_(9)
    loss = eh.load_loss("ctc")
    torch.testing.assert_close(loss(logits=tensors["logits"], labels=tensors["labels"]), loss(**tensors))


def test_samples_without_labels_or_weight_count_for_nothing() -> None:
    tensors, loss = spoken(), eh.load_loss("ctc")
    expected = loss(**{name: value[:1] for name, value in tensors.items()})
    tensors["labels"][1], tensors["labels"][2, 0] = IGNORED, 77
    tensors["logits"][1:] = math.nan
    tensors["logits"].requires_grad_()
    found = loss(**tensors, sample_weight=torch.tensor([1.0, 1.0, 0.0]))
    found.backward()
    torch.testing.assert_close(found, expected)
    assert torch.isfinite(tensors["logits"].grad).all()


def test_ctc_of_no_labels_at_all_is_refused() -> None:
    tensors = spoken()
    tensors["labels"].fill_(IGNORED)
    with pytest.raises(eh.DataError, match=r"loss 'ctc': 'labels' \(3, 4\) has no sample that counts"):
        eh.load_loss("ctc")(**tensors)


def test_labels_that_do_not_fit_their_frames_are_refused_or_skipped() -> None:
    tensors = spoken(frames=5)
    tensors["labels"][0] = torch.tensor([1, 1, 2, 2])
    tensors["frames"][:] = 5
    with pytest.raises(eh.DataError, match=r"'labels' \(3, 4\) need 6 frames and have 5 in sample 0 of the batch"):
        eh.load_loss("ctc")(**tensors)
    rest = eh.load_loss("ctc")(**{name: value[1:] for name, value in tensors.items()})
    tensors["logits"].requires_grad_()
    found = eh.load_loss("ctc", skip_impossible=True)(**tensors)
    found.backward()
    torch.testing.assert_close(found, rest * 2 / 3)
    assert tensors["logits"].grad[0].abs().max() == 0


@pytest.mark.parametrize(("name", "value", "told"), [
    ("labels", 0, r"'labels' \(3, 4\) is 0, which is no class from 0 to 4 other than the blank"),
    ("labels", 5, r"'labels' \(3, 4\) is 5, which is no class from 0 to 4"),
    ("frames", 10, r"'frames' \(3,\) is 10, which is not from 1 to 9, in sample 1"),
    ("logits", math.nan, r"'logits' \(3, 9, 5\) is NaN in sample 1"),
])  # fmt: skip
def test_what_cannot_be_computed_is_named(name: str, value: float, told: str) -> None:
    tensors = spoken()
    tensors[name].view(3, -1)[1, 0] = value
    with pytest.raises(eh.DataError, match=told):
        eh.load_loss("ctc")(**tensors)


def test_a_blank_below_0_is_refused() -> None:
    with pytest.raises(eh.UsageError, match="blank"):
        eh.load_loss("ctc", blank=-1)


@ANY
@given(seed=st.integers(0, 10**6), alpha=st.sampled_from([0.005, 1.0]))
def test_minimum_risk_is_its_closed_form(same: Any, seed: int, alpha: float) -> None:
    chance = torch.Generator().manual_seed(seed)
    logps, costs = (torch.rand(3, 4, generator=chance, dtype=torch.float64) * scale for scale in (-50, 1))

    def closed(candidate_logps: Any) -> Any:
        sharpened = (alpha * candidate_logps).exp()
        return ((sharpened * costs).sum(1) / sharpened.sum(1)).mean()

    loss = eh.load_loss("minimum_risk", alpha=alpha)
    same(lambda candidate_logps: loss(candidate_logps=candidate_logps, candidate_costs=costs), closed, {"candidate_logps": logps})


def test_minimum_risk_of_all_sequences_is_the_expected_cost(same: Any) -> None:
    policy, sequences, costs = small_policy()

    def expected(policy: Any) -> Any:
        return (log_probabilities(policy, sequences).exp() * costs).sum()

    loss = eh.load_loss("minimum_risk", alpha=1.0)
    same(
        lambda policy: loss(candidate_logps=log_probabilities(policy, sequences)[None], candidate_costs=costs[None]),
        expected,
        {"policy": policy},
    )


def test_minimum_risk_stays_finite_far_out() -> None:
    logps = torch.tensor([[-1e5, -2e5, 0.0]], requires_grad=True)
    eh.load_loss("minimum_risk", alpha=1.0)(candidate_logps=logps, candidate_costs=torch.rand(1, 3)).backward()
    assert torch.isfinite(logps.grad).all()


def small_policy() -> tuple[Any, list[tuple[int, ...]], Any]:
    """Return logits of the next of three words given the one before, all sequences of three words, and a reward of each."""
    chance = torch.Generator().manual_seed(0)
    sequences = list(itertools.product(range(3), repeat=3))
    policy = torch.randn(4, 3, generator=chance, dtype=torch.float64)
    return policy, sequences, torch.randn(len(sequences), generator=chance, dtype=torch.float64)


def log_probabilities(policy: Any, sequences: list[tuple[int, ...]]) -> Any:
    log_p = policy.log_softmax(-1)
    return torch.stack([sum(log_p[before, word] for before, word in itertools.pairwise((3, *each))) for each in sequences])


@pytest.mark.parametrize("baseline", [None, 0.0, 2.5])
def test_reinforce_has_the_gradient_of_the_expected_reward(baseline: float | None) -> None:
    policy, sequences, rewards = small_policy()
    policy.requires_grad_()
    probabilities = log_probabilities(policy, sequences).exp()
    (expected,) = torch.autograd.grad(-(probabilities * rewards).sum(), policy)
    given = {} if baseline is None else {"baseline": torch.full_like(rewards, baseline)}
    found = eh.load_loss("reinforce")(
        logps=log_probabilities(policy, sequences), rewards=rewards, sample_weight=probabilities.detach(), **given
    )
    torch.testing.assert_close(torch.autograd.grad(found, policy)[0], expected, rtol=1e-6, atol=1e-12)


def test_a_baseline_lowers_the_variance_of_the_gradient() -> None:
    policy, sequences, rewards = small_policy()
    policy, rewards = policy.requires_grad_(), rewards + 10
    sizes = []
    for baseline in (0.0, 10.0):
        slopes = [
            torch.autograd.grad(eh.load_loss("reinforce")(
                logps=log_probabilities(policy, [each]), rewards=reward[None], baseline=torch.tensor([baseline]),
            ), policy)[0]
            for each, reward in zip(sequences, rewards, strict=True)
        ]  # fmt: skip
        share = log_probabilities(policy, sequences).exp().detach()[:, None, None]
        mean = (torch.stack(slopes) * share).sum(0)
        sizes.append(float((share * (torch.stack(slopes) - mean) ** 2).sum()))
    assert sizes[1] < sizes[0] / 10


def test_rewards_and_costs_pass_no_gradient() -> None:
    rewards = torch.randn(3, requires_grad=True)
    logps = (-torch.rand(3)).requires_grad_()
    eh.load_loss("reinforce")(logps=logps, rewards=rewards, baseline=torch.zeros(3)).backward()
    assert rewards.grad is None


@pytest.mark.parametrize("name", ["ctc", "minimum_risk", "reinforce"])
def test_bfloat16_is_within_a_hundredth_of_float32(name: str) -> None:
    from evalharness.testing.tensors import default_tensors

    loss = eh.load_loss(name)
    tensors = default_tensors(loss.accepts)
    half = {key: value.bfloat16() if value.is_floating_point() else value for key, value in tensors.items()}
    full = {key: value.float() if value.is_floating_point() else value for key, value in half.items()}
    torch.testing.assert_close(loss(**half), loss(**full), rtol=1e-2, atol=1e-3)
