"""What routers choose, recorded on tiny random models of many architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from evalharness_losses.balancing import BiasBalance

import evalharness as eh
from evalharness.training.routing import Routing
from evalharness.training.supplying import Supply
from tests.training.models import examples, trainer

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
SMALL = {"moe_intermediate_size": 16, "num_experts_per_tok": 2}
SHARED = {"n_shared_experts": 1, "first_k_dense_replace": 0}
LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {"num_experts": 4, "shared_expert_intermediate_size": 16, **SMALL},
    "qwen3_moe": {"num_experts": 4, "head_dim": 8, **SMALL},
    "deepseek_v3": {"n_routed_experts": 4, "n_group": 2, "topk_group": 2, **SHARED, **SMALL, **LATENT},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8, "layer_types": ["full_attention"] * 3},
    "granitemoe": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "glm4_moe": {"n_routed_experts": 4, "n_group": 1, "topk_group": 1, "head_dim": 8, **SHARED, **SMALL},
    "llama4_text": {"num_local_experts": 4, "num_experts_per_tok": 1, "intermediate_size_mlp": 32, "head_dim": 8},
}  # fmt: skip
IDS = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 0, 0]])
MASK = (IDS != 0).long()


def model(kind: str, **changed: Any) -> Any:
    torch.manual_seed(0)
    configuration = transformers.AutoConfig.for_model(kind, **{**SIZES, **CONFIGURATIONS.get(kind, {}), **changed})
    built = transformers.AutoModelForCausalLM.from_config(configuration, dtype=torch.float32)
    for router in Routing(built).routers if kind in CONFIGURATIONS else ():
        torch.nn.init.normal_(router.matrix(4))
    return built


def hooks(module: torch.nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_every_router_of_an_architecture_is_found_and_padding_is_removed(kind: str) -> None:
    moe, k = model(kind), CONFIGURATIONS[kind]["num_experts_per_tok"]
    before = hooks(moe)
    with eh.routing(moe) as routing:
        moe(input_ids=IDS, attention_mask=MASK)
    assert hooks(moe) == before
    found = routing.tensors(("router_logits", "router_indices", "router_weights"))
    assert [len(layers) for layers in found.values()] == [3, 3, 3]
    assert {layer.shape for layer in found["router_logits"]} == {(8, 4)}
    assert {layer.shape for layer in found["router_indices"]} == {(8, k)}
    assert {layer.shape for layer in found["router_weights"]} == {(4, 32)}
    assert routing.counts().shape == (2, 3, 4)
    assert routing.counts().sum(-1).tolist() == [[5 * k] * 3, [3 * k] * 3]


@pytest.mark.parametrize("kind", ["mixtral", "qwen2_moe", "olmoe", "gpt_oss"])
def test_logits_are_those_that_the_model_gives_itself(kind: str) -> None:
    moe = model(kind)
    with Routing(moe) as routing:
        given = moe(input_ids=IDS, attention_mask=MASK, output_router_logits=True).router_logits
    for ours, theirs in zip(routing.tensors()["router_logits"], given, strict=True):
        assert torch.equal(ours, theirs.reshape(-1, 4)[MASK.flatten() != 0])


def test_indices_are_what_was_chosen_where_a_bias_corrects_the_scores() -> None:
    moe = model("deepseek_v3")
    for router in Routing(moe).routers:
        router.module.e_score_correction_bias[3] = 10.0
    with Routing(moe) as routing:
        moe(input_ids=IDS, attention_mask=MASK)
    found = routing.tensors()
    assert all((indices == 3).any(1).all() for indices in found["router_indices"])
    assert not all((logits.topk(2).indices == 3).any(1).all() for logits in found["router_logits"])
    by_choice = eh.load_loss("moe_top_k", scores="sigmoid")(**found)
    by_logits = eh.load_loss("moe_top_k", scores="sigmoid", top_k=2)(router_logits=found["router_logits"])
    assert not torch.allclose(by_choice, by_logits)


def test_weights_are_those_of_the_router() -> None:
    moe = model("mixtral")
    with Routing(moe) as routing:
        moe(input_ids=IDS, attention_mask=MASK)
    for _, choice in routing.choices():
        chances = choice.logits.softmax(-1).gather(1, choice.indices)
        assert torch.allclose(choice.weights, chances / chances.sum(1, keepdim=True))


@pytest.mark.parametrize("kind", ["mixtral", "deepseek_v3"])
def test_gradients_flow_to_the_routers_through_what_was_recorded(kind: str) -> None:
    moe = model(kind)
    with Routing(moe) as routing:
        moe(input_ids=IDS, attention_mask=MASK)
    eh.load_loss("moe_top_k")(**routing.tensors(), attention_mask=MASK).backward()
    assert all(router.matrix(4).grad.abs().sum() > 0 for router in routing.routers)


def test_gradients_under_checkpointing_are_those_without_it() -> None:
    def gradients(checkpointed: bool) -> list[torch.Tensor]:
        moe = model("mixtral").train()
        if checkpointed:
            moe.activation_checkpointing_enable({"use_reentrant": False})
        with Routing(moe) as routing:
            moe(input_ids=IDS, attention_mask=MASK)
        eh.load_loss("moe_top_k")(**routing.tensors(), attention_mask=MASK).backward()
        return [router.matrix(4).grad for router in routing.routers]

    for one, other in zip(gradients(True), gradients(False), strict=True):
        assert torch.allclose(one, other)


def test_only_the_last_pass_is_kept_and_loads_add_up() -> None:
    moe = model("mixtral")
    with Routing(moe) as routing:
        moe(input_ids=IDS, attention_mask=MASK)
        first = routing.counts().sum(0)
        moe(input_ids=IDS[:1])
    assert routing.tensors()["router_logits"][0].shape == (5, 4)
    assert torch.equal(torch.stack(list(routing.loads.values())), first + routing.counts().sum(0))


def test_without_a_mask_the_batch_is_one_sample() -> None:
    moe = model("mixtral")
    with Routing(moe) as routing:
        moe(input_ids=IDS)
    assert routing.counts().shape == (1, 3, 4)
    assert routing.counts().sum() == 10 * 2 * 3


def test_hooks_are_gone_after_an_error() -> None:
    moe = model("mixtral")
    before = hooks(moe)
    with pytest.raises(IndexError), Routing(moe):
        moe(input_ids=torch.tensor([[1000]]))
    assert hooks(moe) == before


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the adapter library
def test_an_adapter_around_the_model_changes_nothing() -> None:
    from peft import LoraConfig, get_peft_model

    moe = model("mixtral")
    with Routing(moe) as plain:
        moe(input_ids=IDS, attention_mask=MASK)
    wrapped = get_peft_model(moe, LoraConfig(r=2, target_modules=["q_proj"]))
    with Routing(wrapped) as routing:
        wrapped(input_ids=IDS, attention_mask=MASK)
    assert torch.equal(routing.counts(), plain.counts())


@pytest.fixture
def switch() -> Any:
    torch.manual_seed(0)
    configuration = transformers.SwitchTransformersConfig(
        vocab_size=64, d_model=32, d_kv=8, d_ff=32, num_layers=4, num_decoder_layers=4, num_heads=4, num_experts=4,
        expert_capacity=1, num_sparse_encoder_layers=2, num_sparse_decoder_layers=2, pad_token_id=0,
    )  # fmt: skip
    return transformers.SwitchTransformersForConditionalGeneration(configuration)


def test_a_mask_of_choices_is_read_as_choices_whatever_the_capacity(switch: Any) -> None:
    with Routing(switch) as routing:
        switch(input_ids=IDS, attention_mask=MASK, decoder_input_ids=IDS)
    found = routing.tensors()
    assert [len(layer) for layer in found["router_logits"]] == [8, 8, 10, 10]  # of the decoder all tokens count
    for logits, indices in zip(found["router_logits"], found["router_indices"], strict=True):
        assert torch.equal(indices, logits.argmax(-1, keepdim=True))


def test_a_dense_model_is_refused() -> None:
    with pytest.raises(eh.UsageError, match="LlamaForCausalLM has no router: it is no mixture-of-experts model"):
        eh.routing(model("llama"))


class SilentRouter(torch.nn.Linear):
    """Gives logits only, as the router of DBRX does."""


class LargestRouter(torch.nn.Linear):
    """Gives logits only and says of how many it takes the largest, as the router of Llama 4 does."""

    top_k = 2


class CorrectedRouter(LargestRouter):
    """Chooses by other numbers than the logits that it gives."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.moe_statics = torch.nn.Module()
        self.moe_statics.register_buffer("e_score_correction_bias", torch.zeros(4))


class ProductRouter(LargestRouter):
    """Gives the logits of keys, of which experts are the products, as the block of Doge does."""

    num_experts = 16


@pytest.mark.parametrize(
    ("kind", "why"), [(SilentRouter, ";"), (CorrectedRouter, ", and corrects its scores by a bias, .*;"), (ProductRouter, ";")]
)
def test_a_router_that_does_not_say_what_it_chose_is_refused(kind: Any, why: str) -> None:
    built = torch.nn.Sequential(kind(3, 4))
    told = rf"'0' \({kind.__name__}\) does not say which experts it chose{why} supported are routers that return the indices"
    with pytest.raises(eh.UsageError, match=told), Routing(built):
        built(torch.ones(2, 3))


def test_the_largest_logits_are_the_choice_of_a_router_that_takes_them() -> None:
    built = torch.nn.Sequential(LargestRouter(3, 4))
    with Routing(built) as routing:
        built(torch.randn(5, 3))
    found = routing.tensors()
    assert torch.equal(found["router_indices"][0], found["router_logits"][0].topk(2).indices)


class ProbabilityRouter(LargestRouter):
    """Gives probabilities as its logits, as the router of Gemma 4 does."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden).softmax(-1)


def test_probabilities_are_no_logits_but_their_choices_are_counted() -> None:
    built = torch.nn.Sequential(ProbabilityRouter(3, 4))
    with Routing(built) as routing:
        built(torch.randn(5, 3))
    assert routing.counts().sum() == 5 * 2
    with pytest.raises(eh.UsageError, match=r"'0' \(ProbabilityRouter\) gives probabilities in the place of logits"):
        routing.tensors()


def test_a_model_that_did_not_run_has_no_tensors() -> None:
    with Routing(model("mixtral")) as routing, pytest.raises(eh.UsageError, match="no router of MixtralForCausalLM ran"):
        routing.tensors()


def test_of_pairs_the_tokens_of_all_answers_are_balanced() -> None:
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": IDS.where(MASK != 0, -100), "sides": ("chosen", "rejected")}
    loss, moe = eh.load_loss("moe_switch"), model("mixtral")
    tensors = Supply(loss, moe)(moe, batch)
    with Routing(moe) as routing:
        moe(input_ids=IDS, attention_mask=MASK)
    assert torch.allclose(loss(**tensors), loss(**routing.tensors(), attention_mask=MASK))


def test_a_training_moves_the_biases_alike_however_its_steps_are_split(tmp_path: Path) -> None:
    def biases(accumulation: int) -> torch.Tensor:
        moe = model("deepseek_v3")
        split = {"per_device_train_batch_size": 8 // accumulation, "gradient_accumulation_steps": accumulation, "max_steps": 1}
        trainer(tmp_path, "supervised", examples(8), moe, rules=[BiasBalance(rate=0.5)], **split).train()
        return torch.stack([router.module.e_score_correction_bias for router in Routing(moe).routers])

    assert biases(1).any()
    assert torch.equal(biases(1), biases(4))
