"""Balance by the routers' bias, against the update of megatron-core written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from evalharness_losses.balancing import BiasBalance

import evalharness as eh

IDS = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 0, 0]])
MASK = (IDS != 0).long()


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    configuration = transformers.DeepseekV3Config(
        vocab_size=64, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, n_routed_experts=8, num_experts_per_tok=2, n_group=1, topk_group=1, n_shared_experts=1,
        first_k_dense_replace=1, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
    )  # fmt: skip
    built = transformers.AutoModelForCausalLM.from_config(configuration, dtype=torch.float32)
    for layer in built.model.layers[1:]:
        torch.nn.init.normal_(layer.mlp.gate.weight)
    return built


def biases(model: Any) -> torch.Tensor:
    return torch.stack([layer.mlp.gate.e_score_correction_bias.clone() for layer in model.model.layers[1:]])


def hooks(module: torch.nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def test_biases_move_by_the_loads_of_all_micro_batches_without_padding(model: Any) -> None:
    with eh.routing(model) as routing:
        model(input_ids=IDS, attention_mask=MASK)
    loads = routing.counts().sum(0).double()
    before, rule = hooks(model), BiasBalance(rate=0.25)
    rule.before_step(model)
    for row in range(2):
        model(input_ids=IDS[row : row + 1], attention_mask=MASK[row : row + 1])
    rule.after_backward({}, model)
    # megatron-core 0.19.2, get_updated_expert_bias: bias + sign(mean - tokens_per_expert) * rate
    assert torch.equal(biases(model).double(), 0.25 * torch.sign(loads.mean(-1, keepdim=True) - loads))
    assert hooks(model) == before


def test_an_expert_with_exactly_its_part_stays(model: Any) -> None:
    rule = BiasBalance(rate=0.25)
    rule.before_step(model)
    for router in (model.model.layers[1].mlp.gate, model.model.layers[2].mlp.gate):
        router.forward = lambda hidden: (torch.zeros(4, 8), torch.ones(4, 2), torch.arange(8).view(4, 2))
        router(None)
    rule.after_backward({}, model)
    assert not biases(model).any()


def test_what_runs_between_steps_does_not_count(model: Any) -> None:
    rule = BiasBalance()
    rule.before_step(model)
    rule.after_backward({}, model)
    model(input_ids=IDS)
    assert not biases(model).any()


def test_a_step_that_failed_leaves_nothing_behind(model: Any) -> None:
    rule, before = BiasBalance(), hooks(model)
    rule.before_step(model)
    rule.before_step(model)
    rule.after_backward({}, model)
    assert hooks(model) == before


def test_load_becomes_even_where_the_loss_says_nothing(model: Any) -> None:
    def spread() -> float:
        with eh.routing(model) as routing:
            model(input_ids=ids)
        loads = routing.counts()[0].double()
        return float((loads.std(-1) / loads.mean(-1)).mean())

    ids, rule = torch.randint(64, (8, 16), generator=torch.Generator().manual_seed(0)), BiasBalance(rate=0.01)
    for layer in model.model.layers[1:]:
        layer.mlp.gate.e_score_correction_bias[:2] = 1.0
    first = spread()
    for _ in range(100):
        rule.before_step(model)
        with torch.no_grad():
            model(input_ids=ids)
        rule.after_backward({}, model)
    assert spread() < first / 3


@pytest.mark.parametrize("kind", ["afmoe", "lfm2_moe"])
def test_a_bias_that_the_block_holds_is_found(kind: str) -> None:
    configuration = transformers.AutoConfig.for_model(
        kind, vocab_size=64, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=4, num_experts=4, num_experts_per_tok=2, head_dim=8,
        layer_types=["full_attention"], use_expert_bias=True, num_dense_layers=0,
    )  # fmt: skip
    built, rule = transformers.AutoModelForCausalLM.from_config(configuration, dtype=torch.float32), BiasBalance(rate=0.5)
    rule.before_step(built)
    built(input_ids=IDS, attention_mask=MASK)
    rule.after_backward({}, built)
    moved = [item for name, item in [*built.named_buffers(), *built.named_parameters()] if name.endswith("expert_bias")]
    assert moved
    assert all(bias.any() for bias in moved)


def test_a_router_without_a_bias_is_refused() -> None:
    configuration = transformers.MixtralConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4,
        num_local_experts=4,
    )  # fmt: skip
    mixtral = transformers.AutoModelForCausalLM.from_config(configuration)
    with pytest.raises(
        eh.UsageError, match=r"rule 'moe_bias' needs routers with a correction bias; .*\(MixtralTopKRouter\) has none"
    ):
        BiasBalance().before_step(mixtral)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_rates_that_make_no_sense_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        BiasBalance(rate=rate)


def test_loads_of_all_processes_are_added(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = torch.tensor([9, 0, 0, 0, 0, 0, 0, 0])
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda load: load.add_(other))
    rule = BiasBalance(rate=0.5)
    rule.before_step(model)
    for layer in model.model.layers[1:]:
        layer.mlp.gate.forward = lambda hidden: (torch.zeros(4, 8), torch.ones(4, 2), torch.arange(8).view(4, 2))
        layer.mlp.gate(None)
    rule.after_backward({}, model)
    assert (biases(model)[:, 0] == -0.5).all()
    assert (biases(model)[:, 1:] == 0.5).all()
