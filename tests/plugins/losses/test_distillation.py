"""Distillation losses against TRL and torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

import evalharness as eh

ANY = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
IGNORED = -100
# By the name of a loss, the `beta` of TRL's function that stands for it.
BETAS = {"forward_kl": 0.0, "reverse_kl": 1.0, "jensen_shannon": 0.5, "generalised_jensen_shannon": 0.5}


@pytest.fixture(scope="module")
def trl() -> Callable[..., Any]:
    """Give TRL's divergence; importing it warns that it may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trl.experimental.gkd import GKDTrainer
    return GKDTrainer.generalized_jsd_loss


def made(seed: int = 0, spread: float = 2.0) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(seed)
    labels = torch.randint(7, (3, 5), generator=chance)
    labels[0, :3], labels[1, 4] = IGNORED, IGNORED
    logits = (torch.randn(3, 5, 7, generator=chance, dtype=torch.float64) * spread for _ in range(2))
    return {**dict(zip(("logits", "teacher_logits"), logits, strict=True)), "labels": labels}


def of_trl(function: Callable[..., Any], beta: float, temperature: float) -> Callable[..., Any]:
    """Return TRL's loss of a batch; it has neither the shift nor the square of the temperature."""

    def compute(logits: Any, teacher_logits: Any, labels: Any) -> Any:
        shifted = logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
        return function(*shifted, beta=beta, temperature=temperature) * temperature**2

    return compute


@ANY
@given(seed=st.integers(0, 10**6), temperature=st.sampled_from([0.5, 1.0, 2.0]), spread=st.sampled_from([0.1, 2.0, 20.0]))
@pytest.mark.parametrize("name", BETAS)
def test_a_divergence_is_that_of_trl(trl: Any, same: Any, name: str, seed: int, temperature: float, spread: float) -> None:
    same(eh.load_loss(name, temperature=temperature), of_trl(trl, BETAS[name], temperature), made(seed, spread))


@pytest.mark.parametrize("beta", [0.001, 0.1, 0.9])
def test_the_generalised_divergence_is_that_of_trl(trl: Any, same: Any, beta: float) -> None:
    same(eh.load_loss("generalised_jensen_shannon", beta=beta), of_trl(trl, beta, 1.0), made())


def test_kl_divergences_are_those_of_torch(same: Any) -> None:
    def theirs(logits: Any, teacher_logits: Any, labels: Any) -> Any:
        counts = labels[:, 1:] != IGNORED
        student, teacher = (item[:, :-1][counts].log_softmax(-1) for item in (logits, teacher_logits.detach()))
        return functional.kl_div(student, teacher, reduction="batchmean", log_target=True)

    same(eh.load_loss("forward_kl"), theirs, made())


def test_without_the_square_of_the_temperature_it_is_that_of_trl_as_it_stands(trl: Any) -> None:
    tensors = made()
    expected = of_trl(trl, 0.0, 2.0)(**tensors) / 4
    torch.testing.assert_close(eh.load_loss("forward_kl", temperature=2.0, times_temperature_squared=False)(**tensors), expected)


def test_the_temperature_keeps_the_size_of_gradients() -> None:
    sizes = []
    for temperature in (10.0, 100.0):
        tensors = made()
        tensors["logits"].requires_grad_()
        eh.load_loss("forward_kl", temperature=temperature)(**tensors).backward()
        sizes.append(float(tensors["logits"].grad.norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.2)


@pytest.mark.parametrize("name", BETAS)
def test_the_student_that_is_the_teacher_loses_nothing(name: str) -> None:
    tensors = made()
    tensors["logits"] = (tensors["teacher_logits"] + 3).requires_grad_()
    value = eh.load_loss(name)(**tensors)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert float(tensors["logits"].grad.abs().max()) < 1e-12


@pytest.mark.parametrize("name", BETAS)
def test_words_that_both_mask_out_change_nothing(name: str) -> None:
    tensors = made()
    few = {**tensors, **{key: tensors[key][..., :5].clone().requires_grad_() for key in ("logits", "teacher_logits")}}
    few["labels"] = tensors["labels"].clamp(max=4)
    masked = {**few, **{key: functional.pad(few[key].detach(), (0, 2), value=-math.inf) for key in ("logits", "teacher_logits")}}
    masked["logits"].requires_grad_()
    expected, found = (eh.load_loss(name)(**given) for given in (few, masked))
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    torch.testing.assert_close(masked["logits"].grad[..., :5], few["logits"].grad)
    assert masked["logits"].grad[..., 5:].abs().max() == 0


@pytest.mark.parametrize("name", BETAS)
def test_shares_of_a_window_are_the_whole_in_value_and_gradient(name: str) -> None:
    loss, tensors = eh.load_loss(name), made()
    tensors["logits"].requires_grad_()
    whole = loss(**tensors)
    (expected,) = torch.autograd.grad(whole, tensors["logits"])
    counted = loss.count(labels=tensors["labels"])
    totals = {key: value.sum() for key, value in counted.items()}
    parts = [{key: value[rows] for key, value in tensors.items()} for rows in (slice(0, 1), slice(1, 3))]
    together = sum(loss.share(totals, **part) for part in parts)
    torch.testing.assert_close(together, whole)
    torch.testing.assert_close(torch.autograd.grad(together, tensors["logits"])[0], expected)


@pytest.mark.parametrize("name", BETAS)
def test_tokens_that_do_not_count_may_hold_anything(name: str) -> None:
    tensors, weight = made(), torch.ones(3, 5)
    weight[2] = 0
    expected = eh.load_loss(name)(**{key: value[:2] for key, value in tensors.items()})
    tensors["logits"][2] = math.nan
    tensors["teacher_logits"][0, 0] = math.nan
    tensors["logits"].requires_grad_()
    found = eh.load_loss(name)(**tensors, token_weight=weight)
    found.backward()
    torch.testing.assert_close(found, expected)
    assert torch.isfinite(tensors["logits"].grad).all()


@pytest.mark.parametrize("name", BETAS)
def test_bfloat16_is_within_a_hundredth_of_float32(name: str) -> None:
    half = {key: value.bfloat16() if value.is_floating_point() else value for key, value in made().items()}
    full = {key: value.float() if value.is_floating_point() else value for key, value in half.items()}
    torch.testing.assert_close(eh.load_loss(name)(**half), eh.load_loss(name)(**full), rtol=1e-2, atol=1e-4)


def test_a_teacher_of_another_vocabulary_is_refused() -> None:
    tensors = made()
    tensors["teacher_logits"] = tensors["teacher_logits"][..., :6]
    with pytest.raises(
        eh.DataError, match=r"'teacher_logits' \(3, 5, 6\) must be of the shape of 'logits'.*'logits' \(3, 5, 7\)"
    ):
        eh.load_loss("forward_kl")(**tensors)


def test_a_logit_that_is_not_a_number_is_named_with_its_sample() -> None:
    for name in ("teacher_logits", "logits"):
        tensors = made()
        tensors[name][1, 2, 0] = math.nan
        with pytest.raises(eh.DataError, match=rf"'{name}' \(3, 5, 7\) .*in sample 1 of the batch"):
            eh.load_loss("forward_kl")(**tensors)


def test_a_batch_without_labels_is_refused() -> None:
    tensors = made()
    tensors["labels"].fill_(IGNORED)
    with pytest.raises(eh.DataError, match="no token that counts"):
        eh.load_loss("reverse_kl")(**tensors)


@pytest.mark.parametrize(("name", "option", "value"), [
    ("forward_kl", "temperature", 0.0), ("generalised_jensen_shannon", "beta", 0.0), ("generalised_jensen_shannon", "beta", 1.0),
])  # fmt: skip
def test_options_out_of_range_are_refused(name: str, option: str, value: float) -> None:
    with pytest.raises(eh.UsageError, match=option):
        eh.load_loss(name, **{option: value})
