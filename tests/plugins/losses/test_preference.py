"""Preference losses against the trainers of TRL, whose own functions are called on stand-ins."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evalharness as eh

SUMS = ("chosen_logps", "rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
ANY = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
TOKENS = 6  # the longest answer


@pytest.fixture(scope="module")
def trl() -> Any:
    """Give the trainers whose losses are the oracles; importing them warns that some may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trl import DPOTrainer, KTOTrainer, RewardTrainer
        from trl.experimental.cpo import CPOTrainer
        from trl.experimental.orpo import ORPOTrainer
    return SimpleNamespace(dpo=DPOTrainer, kto=KTOTrainer, reward=RewardTrainer, cpo=CPOTrainer, orpo=ORPOTrainer)


def trainer(**more: Any) -> Any:
    """Return what the loss functions of a trainer look at."""
    alone = SimpleNamespace(device="cpu", gather_for_metrics=lambda value: value, gather=lambda value: value)
    known = {
        "accelerator": alone, "model": SimpleNamespace(training=True), "aux_loss_enabled": False, "ld_alpha": None,
        "precompute_ref_logps": True, "f_divergence_type": "reverse_kl", "loss_weights": [1.0], "use_weighting": False,
        "_metrics": defaultdict(lambda: defaultdict(list)), "_total_train_tokens": 0, "_tp_size": 1, "label_smoothing": 0.0,
        "alpha": 0.0,
    }  # fmt: skip
    return SimpleNamespace(**{**known, **more})


def outputs(logps: torch.Tensor, tokens: torch.Tensor) -> tuple[Any, torch.Tensor]:
    """Return what a model gives whose answers have these sums of log-probabilities, and the mask of the answers."""
    mask = (torch.arange(TOKENS + 1) > TOKENS - tokens[:, None]).long()
    spread = (logps / tokens)[:, None] * mask[:, 1:]
    blank = torch.zeros_like(spread).detach()
    return SimpleNamespace(log_probs=spread, entropy=blank, mean_logits=blank, is_top1=blank.bool()), mask


def of_dpo(trl: Any, kind: str, beta: float) -> Callable[..., Any]:
    def compute(chosen_tokens: Any, rejected_tokens: Any, chosen_logps: Any, rejected_logps: Any, **references: Any) -> Any:
        found, mask = outputs(torch.cat([chosen_logps, rejected_logps]), torch.cat([chosen_tokens, rejected_tokens]))
        inputs = {"input_ids": mask, "attention_mask": mask, "completion_mask": mask, **references}
        return trl.dpo._compute_loss(trainer(loss_types=[kind], beta=beta), lambda **_: found, inputs, False)

    return compute


def of_kto(trl: Any, options: dict[str, float]) -> Callable[..., Any]:
    def compute(logps: Any, ref_logps: Any, kl_logps: Any, ref_kl_logps: Any, desirable: Any) -> Any:
        found, mask = outputs(logps, torch.full((len(logps),), TOKENS))
        inputs = {
            "input_ids": mask, "attention_mask": mask, "completion_mask": mask, "label": desirable, "ref_logps": ref_logps,
            "ref_KL_logps": ref_kl_logps,
        }  # fmt: skip
        one = trainer(loss_type="kto", calculate_KL=True, _compute_kl_logps=lambda *_: kl_logps.detach(), **options)
        return trl.kto._compute_loss(one, lambda **_: found, inputs, False)

    return compute


@st.composite
def pairs(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    """Sums of log-probabilities of pairs, and how many tokens they are over."""
    chance = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    size, spread = draw(st.integers(1, 6)), draw(st.sampled_from([0.1, 3.0, 300.0]))
    sums = {name: -(torch.rand(size, generator=chance, dtype=torch.float64) * spread + 1e-3) for name in SUMS}
    counts = {name: torch.randint(1, TOKENS + 1, (size,), generator=chance) for name in ("chosen_tokens", "rejected_tokens")}
    return {**sums, **counts}


def without(tensors: dict[str, Any], part: str) -> dict[str, Any]:
    return {name: value for name, value in tensors.items() if part not in name}


@ANY
@given(tensors=pairs(), beta=st.sampled_from([0.1, 1.0]))
def test_dpo_is_that_of_trl(trl: Any, same: Any, tensors: dict[str, Any], beta: float) -> None:
    same(eh.load_loss("dpo", beta=beta), of_dpo(trl, "sigmoid", beta), tensors)


@ANY
@given(tensors=pairs(), beta=st.sampled_from([0.1, 1.0]))
def test_ipo_averages_over_tokens_as_trl_does(trl: Any, same: Any, tensors: dict[str, Any], beta: float) -> None:
    same(eh.load_loss("ipo", beta=beta), of_dpo(trl, "ipo", beta), tensors)


@ANY
@given(tensors=pairs())
def test_ipo_of_sums_is_that_of_the_paper(trl: Any, same: Any, tensors: dict[str, Any]) -> None:
    def paper(**sums: Any) -> Any:
        chosen, rejected = (sums[f"{kind}_logps"] - sums[f"ref_{kind}_logps"] for kind in ("chosen", "rejected"))
        return torch.mean((chosen - rejected - 5) ** 2)

    same(eh.load_loss("ipo", per_token=False), paper, tensors)


@ANY
@given(tensors=pairs(), gamma=st.sampled_from([0.0, 1.0]))
def test_simpo_is_that_of_trl(trl: Any, same: Any, tensors: dict[str, Any], gamma: float) -> None:
    def theirs(chosen_logps: Any, rejected_logps: Any, chosen_tokens: Any, rejected_tokens: Any) -> Any:
        one = trainer(loss_type="simpo", beta=2.0, simpo_gamma=gamma)
        return trl.cpo.cpo_loss(one, chosen_logps / chosen_tokens, rejected_logps / rejected_tokens)[0].mean()

    same(eh.load_loss("simpo", gamma=gamma), theirs, without(tensors, "ref"))


@ANY
@given(tensors=pairs(), alpha=st.sampled_from([0.0, 0.5]))
def test_cpo_is_that_of_trl_where_answers_have_one_length(trl: Any, same: Any, tensors: dict[str, Any], alpha: float) -> None:
    tensors["chosen_tokens"].fill_(3)

    def theirs(chosen_logps: Any, rejected_logps: Any, chosen_tokens: Any, **_: Any) -> Any:
        losses = trl.cpo.cpo_loss(trainer(loss_type="sigmoid", beta=0.1), chosen_logps, rejected_logps)[0]
        return losses.mean() - alpha * chosen_logps.sum() / chosen_tokens.sum()

    same(eh.load_loss("cpo", alpha=alpha), theirs, without(tensors, "ref"))


def test_the_likelihood_in_cpo_is_a_mean_over_tokens_of_each_answer_or_a_sum() -> None:
    tensors = {name: torch.tensor([-2.0, -9.0]) for name in ("chosen_logps", "rejected_logps")}
    tensors["chosen_tokens"] = torch.tensor([1, 3])
    assert float(eh.load_loss("cpo")(**tensors)) == pytest.approx(math.log(2) + (2 + 3) / 2)
    assert float(eh.load_loss("cpo", per_token=False)(**tensors)) == pytest.approx(math.log(2) + (2 + 9) / 2)


@ANY
@given(tensors=pairs())
def test_the_odds_ratio_of_orpo_is_that_of_trl(trl: Any, same: Any, tensors: dict[str, Any]) -> None:
    def theirs(chosen_logps: Any, rejected_logps: Any, chosen_tokens: Any, rejected_tokens: Any) -> Any:
        chosen, rejected = chosen_logps / chosen_tokens, rejected_logps / rejected_tokens
        return -chosen.mean() - trl.orpo.odds_ratio_loss(trainer(beta=0.1), chosen, rejected)[0].mean()

    same(eh.load_loss("orpo"), theirs, without(tensors, "ref"), rtol=1e-4, atol=1e-6)  # theirs is in float32


@ANY
@given(tensors=pairs())
def test_the_odds_ratio_of_orpo_is_its_closed_form(same: Any, tensors: dict[str, Any]) -> None:
    def closed(chosen_logps: Any, rejected_logps: Any, chosen_tokens: Any, rejected_tokens: Any) -> Any:
        chosen, rejected = (chosen_logps / chosen_tokens), (rejected_logps / rejected_tokens)
        ratio = chosen - rejected - torch.log1p(-chosen.exp()) + torch.log1p(-rejected.exp())
        return (torch.nn.functional.softplus(-ratio) * 0.1 - chosen).mean()

    same(eh.load_loss("orpo"), closed, without(tensors, "ref"))


@pytest.mark.parametrize("logps", [(0.0, -1.0), (-1.0, 0.0), (0.0, 0.0), (-1e-30, -1e30)])
def test_orpo_stays_finite_where_an_answer_is_certain(logps: tuple[float, float]) -> None:
    chosen, rejected = (torch.tensor([value], requires_grad=True) for value in logps)
    tokens = torch.tensor([2])
    found = eh.load_loss("orpo")(chosen_logps=chosen, rejected_logps=rejected, chosen_tokens=tokens, rejected_tokens=tokens)
    found.backward()
    assert all(torch.isfinite(tensor).all() for tensor in (found, chosen.grad, rejected.grad))


@ANY
@given(tensors=pairs(), centring=st.sampled_from([0.0, 0.01]), with_margin=st.booleans())
def test_bradley_terry_is_that_of_the_reward_trainer(
    trl: Any, same: Any, tensors: dict[str, Any], centring: float, with_margin: bool
) -> None:
    scores = {"chosen_score": tensors["chosen_logps"], "rejected_score": tensors["rejected_logps"]}
    if with_margin:
        scores["pair_margin"] = tensors["ref_chosen_logps"].abs()

    def theirs(chosen_score: Any, rejected_score: Any, pair_margin: Any = None) -> Any:
        found = SimpleNamespace(logits=torch.cat([chosen_score, rejected_score])[:, None])
        inputs = {"attention_mask": torch.ones(1)} | ({} if pair_margin is None else {"margin": pair_margin})
        args = SimpleNamespace(center_rewards_coefficient=centring)
        return trl.reward.compute_loss(trainer(args=args), lambda **_: found, inputs)

    same(eh.load_loss("bradley_terry", centring=centring), theirs, scores)


def answers(seed: int, size: int = 5) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(seed)
    sums = {
        name: -torch.rand(size, generator=chance, dtype=torch.float64) * 9
        for name in ("logps", "ref_logps", "kl_logps", "ref_kl_logps")
    }
    return {**sums, "desirable": torch.rand(size, generator=chance) > 0.4}


@pytest.mark.parametrize("seed", range(12))
def test_kto_is_that_of_trl(trl: Any, same: Any, seed: int) -> None:
    options = {"beta": 0.3, "desirable_weight": 1.0, "undesirable_weight": 1.5}
    same(eh.load_loss("kto", **options), of_kto(trl, options), answers(seed))


def test_the_weights_of_kto_have_the_precision_of_the_tensors() -> None:
    def closed(logps: Any, ref_logps: Any, kl_logps: Any, ref_kl_logps: Any, desirable: Any) -> Any:
        lead = 0.1 * (logps - ref_logps - (kl_logps - ref_kl_logps).mean().clamp(min=0).detach())
        return torch.where(desirable, 1.33 * torch.sigmoid(-lead), 0.7 * torch.sigmoid(lead)).mean()

    tensors = answers(2)
    found = eh.load_loss("kto", desirable_weight=1.33, undesirable_weight=0.7)(**tensors)
    torch.testing.assert_close(found, closed(**tensors), rtol=1e-12, atol=0)


def test_the_point_of_reference_of_kto_is_not_below_0() -> None:
    tensors = answers(0)
    tensors["kl_logps"] = tensors["ref_kl_logps"] - 5
    expected = eh.load_loss("kto")(**{**tensors, "kl_logps": tensors["ref_kl_logps"]})
    torch.testing.assert_close(eh.load_loss("kto")(**tensors), expected)


def test_an_answer_of_weight_0_has_no_part_in_the_point_of_reference_either() -> None:
    tensors = answers(3)
    weight = torch.tensor([1.0, 1, 0, 1, 1])
    rest = {name: value[weight > 0] for name, value in tensors.items()}
    for name in ("logps", "kl_logps"):
        tensors[name][2] = math.nan
    found = eh.load_loss("kto")(**tensors, sample_weight=weight)
    torch.testing.assert_close(found, eh.load_loss("kto")(**rest))


def test_kto_of_no_weight_at_all_is_refused_and_its_share_is_0() -> None:
    with pytest.raises(eh.DataError, match=r"loss 'kto': 'sample_weight' \(5,\) gives no sample of the batch a weight"):
        eh.load_loss("kto")(**answers(1), sample_weight=torch.zeros(5))
    assert float(eh.load_loss("kto").share({}, **answers(1), sample_weight=torch.zeros(5))) == 0


@pytest.mark.parametrize("name", ["dpo", "ipo", "simpo", "cpo", "orpo", "bradley_terry", "kto"])
def test_bfloat16_is_within_a_hundredth_of_float32(name: str) -> None:
    from evalharness.testing.tensors import default_tensors

    loss = eh.load_loss(name)
    full = {key: value.float() if value.is_floating_point() else value for key, value in default_tensors(loss.accepts).items()}
    half = {key: value.bfloat16() if value.is_floating_point() else value for key, value in full.items()}
    torch.testing.assert_close(loss(**half), loss(**full), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["dpo", "ipo", "simpo", "cpo", "orpo", "kto"])
def test_a_beta_that_is_not_above_0_is_refused(name: str) -> None:
    with pytest.raises(eh.UsageError, match="beta"):
        eh.load_loss(name, beta=0.0)


@pytest.mark.parametrize(
    ("loss", "name", "value", "told"),
    [
        ("dpo", "ref_rejected_logps", math.nan, "is NaN"),
        ("dpo", "chosen_logps", 0.5, "is 0.5, which is not 0 or less,"),
        ("kto", "kl_logps", 2.0, "is 2, which is not 0 or less,"),
        ("simpo", "chosen_tokens", -1, "is -1, which is not 0 or more,"),
        ("kto", "desirable", 2, "is 2, which is not 0 or 1,"),
    ],
)
def test_a_number_that_is_impossible_is_named(loss: str, name: str, value: float, told: str) -> None:
    from evalharness.testing.tensors import default_tensors

    made = eh.load_loss(loss)
    tensors = {key: tensor.clone() for key, tensor in default_tensors(made.accepts).items()}
    tensors[name] = tensors[name].long() if name == "desirable" else tensors[name]
    tensors[name][2] = value
    with pytest.raises(eh.DataError, match=rf"loss '{loss}': '{name}' \(5,\) {told} in sample 2"):
        made(**tensors)
    weight = torch.tensor([1.0, 1, 0, 1, 1])
    if name != "desirable":
        assert torch.isfinite(made(**{**tensors, "sample_weight": weight}))


@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_columns_of_other_shapes_are_refused(name: str) -> None:
    from evalharness.testing.tensors import default_tensors

    loss = eh.load_loss(name)
    tensors = {key: value for key, value in default_tensors(loss.accepts).items() if key != "sample_weight"}
    last = list(tensors)[2]
    tensors[last] = tensors[last][:, None]
    with pytest.raises(eh.DataError, match=rf"loss '{name}': '{last}' \(5, 1\) must be of the shape of"):
        loss(**tensors)


def test_a_missing_reference_is_named() -> None:
    with pytest.raises(TypeError, match="loss 'dpo' needs the tensor 'ref_chosen_logps'"):
        eh.load_loss("dpo")(chosen_logps=torch.zeros(1), rejected_logps=torch.zeros(1))


@pytest.mark.parametrize("name", ["dpo", "ipo", "simpo", "cpo", "orpo", "bradley_terry"])
def test_far_apart_answers_stay_finite_in_float32(name: str) -> None:
    from evalharness.testing.tensors import default_tensors

    loss = eh.load_loss(name)
    given = {
        key: (value * 1e4).float().requires_grad_() if value.is_floating_point() else value
        for key, value in default_tensors(loss.accepts).items()
    }
    loss(**given).backward()
    assert all(torch.isfinite(value.grad).all() for value in given.values() if value.grad is not None)
