"""The Trainer under any loss: what it supplies, how it accumulates, what it logs, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.contract import Loss, TrainingRule
from evalharness.errors import DataError, UsageError
from evalharness.training.collating import Example, Pair, PairCollator, Row, TableCollator, TokenCollator, mismatched
from tests.training.models import VOCABULARY, examples, llama, mixtral, shown, trainer

BALANCED = eh.load_loss("combine", of=(eh.Spec("supervised"), eh.Spec("moe_switch")), weights=(1.0, 0.1))


class Keep(TrainingRule):
    """Keeps the gradients of the last step."""

    name = "keep"

    def before_step(self, model: Any) -> None:
        SEEN.clear()
        SEEN["calls"] = SEEN.get("calls", 0) + 1

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        SEEN["parts"] = parts
        SEEN["whole"] = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


class KeepParts(Keep):
    """Keeps the gradients of each component."""

    name = "keep_parts"
    splits = True


SEEN: dict[str, Any] = {}


def first_gradient(folder: Path, loss: Loss | str, data: Any, model: Any = None, **given: Any) -> dict[str, Any]:
    """Train one step and return the gradient before it."""
    made = trainer(folder, loss, data, model, **{"rules": (Keep(),), "max_steps": 1, **given})
    made.train()
    return {**SEEN, "loss": shown(made, "loss")[0]}


def close(one: Mapping[str, Any], other: Mapping[str, Any], rtol: float = 1e-4, atol: float = 1e-6) -> None:
    assert one.keys() == other.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(gradient, other[name], rtol=rtol, atol=atol)


@pytest.mark.parametrize(("loss", "model"), [("supervised", llama), (BALANCED, mixtral)], ids=["tokens", "balance"])
@pytest.mark.parametrize("size", [1, 4])
def test_accumulation_has_the_value_and_gradient_of_the_whole_batch(tmp_path: Path, loss: Any, model: Any, size: int) -> None:
    data = examples(8)
    whole = first_gradient(tmp_path, loss, data, model())
    split = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 8 // size}
    parts = first_gradient(tmp_path, loss, data, model(), **split)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    close(parts["whole"], whole["whole"])


def test_the_mean_of_micro_batches_would_be_another_gradient(tmp_path: Path) -> None:
    """The test above would not notice equal micro-batches: these differ in how many tokens count."""
    data = examples(8)
    counts = [sum(example.weights) for example in data]
    assert max(counts) > 2 * min(counts)


def test_the_first_pass_sees_the_same_random_numbers(tmp_path: Path) -> None:
    """With dropout, totals of the first pass are those of the second."""
    data = examples(4)
    model = llama(attention_dropout=0.5) if False else mixtral(attention_dropout=0.5)
    made = trainer(tmp_path, BALANCED, data, model, max_steps=1, per_device_train_batch_size=1, gradient_accumulation_steps=4)
    made.train()
    totals, seen = made._window.totals["moe_switch"], made._window.seen["moe_switch"]
    for name, value in totals.items():
        torch.testing.assert_close(value, seen[name])


def test_running_totals_are_those_of_the_step_before(tmp_path: Path) -> None:
    given = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "max_steps": 3}
    exact = trainer(tmp_path, BALANCED, examples(8), mixtral(), **given)
    running = trainer(tmp_path, BALANCED, examples(8), mixtral(), totals="running", **given)
    exact.train(), running.train()
    assert shown(running, "loss")[:2] == pytest.approx(shown(exact, "loss")[:2], rel=1e-6)  # the first step is exact
    assert shown(running, "loss")[2] == pytest.approx(shown(exact, "loss")[2], rel=0.05)


def test_full_logits_never_exist_where_hidden_states_do(tmp_path: Path) -> None:
    model = llama()
    shapes = []
    model.lm_head.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    made = trainer(tmp_path, "supervised", examples(8), model, max_steps=1)
    shapes.clear()
    made.train()
    assert made._supply.headless
    assert not shapes


def test_hidden_states_give_the_loss_and_gradient_of_logits(tmp_path: Path) -> None:
    plain = eh.load_loss("supervised")
    headless = first_gradient(tmp_path, plain, examples(8))
    biased = llama()
    biased.lm_head = torch.nn.Linear(16, VOCABULARY, bias=True)
    biased.lm_head.weight = llama().lm_head.weight
    torch.nn.init.zeros_(biased.lm_head.bias)
    full = first_gradient(tmp_path, plain, examples(8), biased)
    assert full["loss"] == pytest.approx(headless["loss"], rel=1e-5)
    full["whole"].pop("lm_head.bias")
    close(full["whole"], headless["whole"])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_adapters_are_trained_without_the_head(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    def adapted() -> Any:
        torch.manual_seed(3)
        return get_peft_model(llama(), LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))

    made = trainer(tmp_path, "supervised", examples(8), adapted(), rules=(Keep(),), max_steps=1)
    made.train()
    assert made._supply.headless
    assert SEEN["whole"]
    assert all("lora" in name for name in SEEN["whole"])


def test_a_model_that_caps_its_logits_keeps_its_head(tmp_path: Path) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, final_logit_softcapping=30.0, pad_token_id=0,
    )  # fmt: skip
    made = trainer(tmp_path, "supervised", examples(8), Gemma2ForCausalLM(config), max_steps=1)
    assert not made._supply.headless
    made.train()
    assert shown(made, "loss")


def test_packed_rows_have_the_loss_and_gradient_of_padded_ones(tmp_path: Path) -> None:
    data = examples(8, lengths=(3, 20))
    for model, loss in ((llama, "supervised"), (mixtral, eh.load_loss("supervised", normalise="sample"))):
        padded = first_gradient(tmp_path, loss, data, model())
        packed = first_gradient(tmp_path, loss, data, model(), data_collator=TokenCollator(pad=0, packing=True))
        assert packed["loss"] == pytest.approx(padded["loss"], rel=1e-5)
        close(packed["whole"], padded["whole"])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_documents_do_not_see_each_other(attention: str) -> None:
    model = llama(attn_implementation=attention).eval()
    one, other, changed = examples(3, lengths=(8, 8))
    collate = TokenCollator(pad=0, packing=True)
    long = Example((*one.ids, *changed.ids), (*one.weights, *changed.weights), "long")

    def second(first: Example) -> Any:
        batch = collate([long, first, other])
        assert batch["document_ids"].tolist() == [[0] * 16, [0] * 8 + [1] * 8]
        inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
        return model(**inputs, use_cache=False).logits[1, 8:]

    with torch.no_grad():
        torch.testing.assert_close(second(one), second(changed), rtol=0, atol=0)
        alone = model(input_ids=torch.tensor([other.ids])).logits[0]
        torch.testing.assert_close(second(one), alone, rtol=1e-4, atol=1e-5)


def test_balance_of_packed_rows_leaves_out_what_fills_them(tmp_path: Path) -> None:
    data = examples(6, lengths=(3, 20))
    padded = first_gradient(tmp_path, eh.load_loss("moe_top_k"), data, mixtral())
    collator = TokenCollator(pad=0, packing=True)
    packed = first_gradient(tmp_path, eh.load_loss("moe_top_k"), data, mixtral(), data_collator=collator)
    assert packed["loss"] == pytest.approx(padded["loss"], rel=1e-5)


def test_parts_add_up_to_the_gradient_and_are_weighted(tmp_path: Path) -> None:
    split = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    whole = first_gradient(tmp_path, BALANCED, examples(8), mixtral(), **split)["whole"]
    parts = first_gradient(tmp_path, BALANCED, examples(8), mixtral(), rules=(KeepParts(),), **split)["parts"]
    assert list(parts) == ["supervised", "moe_switch"]
    added = {name: sum(part[name] for part in parts.values() if name in part) for name in whole}
    close(added, whole)


def test_a_rule_that_splits_writes_the_gradient(tmp_path: Path) -> None:
    """Where two parts do not fight, surgery leaves their sum."""
    from evalharness import registry

    split = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    same = eh.load_loss("combine", of=(eh.Spec("supervised"), eh.Spec("focal_tokens")))
    plain = first_gradient(tmp_path, same, examples(8), **split)["whole"]
    rule = registry.build("rule", eh.Spec("pcgrad"))
    close(first_gradient(tmp_path, same, examples(8), rules=(rule, Keep()), **split)["whole"], plain)


def test_a_step_without_weight_says_so(tmp_path: Path) -> None:
    rows = [Row((1.0, 2.0), 1.0, "r1", weight=0.0)]
    with pytest.raises(DataError, match=r"loss 'mse': .*no weight above 0.*'r1'"):
        trainer(tmp_path, "mse", rows, Linear(2), data_collator=TableCollator()).train()


def test_curves_hold_each_component_their_angle_and_the_routers_loads(tmp_path: Path) -> None:
    made = trainer(tmp_path, BALANCED, examples(16), mixtral(), max_steps=4, logging_steps=2)
    made.train()
    assert [point["step"] for point in made.curve if point["name"] == "loss"] == [2, 4]
    names = {point["name"] for point in made.curve}
    assert {
        "loss",
        "loss.supervised",
        "loss.moe_switch",
        "cosine.supervised.moe_switch",
        "gradient_norm",
        "learning_rate",
    } <= names
    total, tokens, balance = (shown(made, name)[0] for name in ("loss", "loss.supervised", "loss.moe_switch"))
    assert total == pytest.approx(tokens + 0.1 * balance)
    assert sum(shown(made, f"router.0.{expert}")[0] for expert in range(4)) == pytest.approx(1.0)
    assert -1 <= shown(made, "cosine.supervised.moe_switch")[0] <= 1


def test_logging_more_often_changes_nothing(tmp_path: Path) -> None:
    def trained(steps: int) -> Any:
        made = trainer(tmp_path, BALANCED, examples(16), mixtral(), max_steps=4, logging_steps=steps)
        made.train()
        return made.model.state_dict()

    one, four = trained(1), trained(4)
    assert all(torch.equal(one[name], four[name]) for name in one)


def test_learned_tensors_are_trained_with_the_model(tmp_path: Path) -> None:
    by = eh.load_loss("combine", of=(eh.Spec("supervised"), eh.Spec("moe_switch")), by="uncertainty")
    split = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    one = trainer(tmp_path, by, examples(8), mixtral(), max_steps=3)
    other = trainer(tmp_path, by, examples(8), mixtral(), max_steps=3, **split)
    parts = trainer(tmp_path, by, examples(8), mixtral(), max_steps=3, rules=(KeepParts(),), **split)
    for made in (one, other, parts):
        made.train()
    assert one._learned
    for name, value in one._learned.items():
        assert float(value.detach()) != float(torch.as_tensor(by.learned()[name]))
        torch.testing.assert_close(other._learned[name], value, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(parts._learned[name], value, rtol=1e-4, atol=1e-5)
    assert shown(other, "loss") == pytest.approx(shown(one, "loss"), rel=1e-4)


class Linear(torch.nn.Module):
    """A linear network over a table."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(columns, 1)

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        value = self.layer(features)[:, 0]
        return {"prediction": value, "logits": value}


@pytest.mark.parametrize("loss", ["huber", "barron_adaptive", "binary_cross_entropy"])
def test_tables_are_learned(tmp_path: Path, loss: str) -> None:
    rows = [Row((n / 8 - 1, 1.0), n / 4 - 2 if loss != "binary_cross_entropy" else int(n > 7), f"r{n}") for n in range(16)]
    given = {"max_steps": 60, "learning_rate": 0.1, "logging_steps": 59, "logging_first_step": True}
    made = trainer(tmp_path, loss, rows, Linear(2), data_collator=TableCollator(), **given)
    made.train()
    first, last = shown(made, "loss")
    assert last < first / 2 or last < 0


def pairs(number: int) -> list[Pair]:
    first, second = examples(number, seed=1), examples(number, seed=2)
    made = []
    for one, other in zip(first, second, strict=True):
        prompt = one.ids[:2]
        made.append(Pair(one, Example((*prompt, *other.ids[2:]), other.weights, one.sample)))
    return made


@pytest.mark.parametrize("loss", ["dpo", "ipo", "simpo", "orpo", "cpo", "kto"])
def test_preferences_are_learned(tmp_path: Path, loss: str) -> None:
    model = llama()
    given = {"data_collator": PairCollator(pad=0), "reference": llama(), "max_steps": 4, "per_device_train_batch_size": 4}
    made = trainer(tmp_path, loss, mismatched(pairs(4)), model, **given)
    made.train()
    assert made._supply.headless
    values = shown(made, "loss")
    assert values[-1] < values[0]
    if loss == "dpo":
        assert values[0] == pytest.approx(0.6931, abs=1e-3)


def test_preferences_accumulate_exactly(tmp_path: Path) -> None:
    given = {"data_collator": PairCollator(pad=0), "reference": llama(1)}
    whole = first_gradient(tmp_path, "dpo", pairs(4), per_device_train_batch_size=4, **given)
    parts = first_gradient(tmp_path, "dpo", pairs(4), per_device_train_batch_size=1, gradient_accumulation_steps=4, **given)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    close(parts["whole"], whole["whole"])


def test_a_reference_model_is_a_teacher(tmp_path: Path) -> None:
    made = trainer(tmp_path, "forward_kl", examples(8), llama(), reference=llama(), max_steps=1)
    made.train()
    assert shown(made, "loss")[0] == pytest.approx(0.0, abs=1e-5)


def test_bf16_is_near_float32(tmp_path: Path) -> None:
    full = first_gradient(tmp_path, BALANCED, examples(8), mixtral())
    half = first_gradient(tmp_path, BALANCED, examples(8), mixtral(), bf16=True)
    assert half["loss"] == pytest.approx(full["loss"], rel=1e-2)


@pytest.mark.filterwarnings("ignore")  # torch.compile turns the warnings of what it traces into errors of its own
def test_a_compiled_model_trains_as_it_does_without(tmp_path: Path) -> None:
    plain = first_gradient(tmp_path, "supervised", examples(8))
    given = {"torch_compile": True, "torch_compile_backend": "aot_eager"}
    compiled = first_gradient(tmp_path, "supervised", examples(8), **given)
    assert compiled["loss"] == pytest.approx(plain["loss"], rel=1e-5)
    close(compiled["whole"], plain["whole"])
    balanced = first_gradient(tmp_path, BALANCED, examples(8), mixtral(), rules=(KeepParts(),), **given)
    assert balanced["parts"]["moe_switch"]


# What is refused


def masked(example: Example) -> Example:
    return replace(example, weights=(0.0,) * len(example.ids))


def test_a_step_in_which_nothing_counts_names_the_samples(tmp_path: Path) -> None:
    made = trainer(tmp_path, "supervised", [masked(example) for example in examples(2)])
    with pytest.raises(DataError, match=r"no token counts in this step: every one of 'labels' \(2, \d+\) is masked.*'s0'"):
        made.train()


def test_a_masked_micro_batch_is_no_fault(tmp_path: Path) -> None:
    one, two = examples(2)
    given = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}
    both = first_gradient(tmp_path, "supervised", [one, masked(two)], **given)
    alone = first_gradient(tmp_path, "supervised", [one], gradient_accumulation_steps=1)
    assert both["loss"] == pytest.approx(alone["loss"], rel=1e-5)


def test_tokens_out_of_the_vocabulary_name_tensor_shape_and_sample(tmp_path: Path) -> None:
    wrong = Example((1, 2, VOCABULARY), (0.0, 1.0, 1.0), "odd")
    made = trainer(tmp_path, "supervised", [wrong])
    with pytest.raises(DataError, match=r"'input_ids' \(1, 3\) is 48 at place 2 of sample 'odd' \(row 0 of the batch\)"):
        made.train()


def test_logits_that_are_not_numbers_name_tensor_shape_and_sample(tmp_path: Path) -> None:
    model = llama()
    with torch.no_grad():
        model.model.embed_tokens.weight[5] = float("nan")
    data = [Example((1, 2, 3), (0.0, 1.0, 1.0), "fine"), Example((1, 5, 3), (0.0, 1.0, 1.0), "broken")]
    made = trainer(tmp_path, "supervised", data, model)
    with pytest.raises(DataError, match=r"loss 'supervised': '(hidden|logits)' \(2, 3, \d+\).*sample 'broken' \(row \d of"):
        made.train()


def test_a_loss_over_routers_refuses_a_dense_model_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'moe_switch' needs the tensor 'router_logits', but LlamaForCausalLM has no router"):
        trainer(tmp_path, "moe_switch", examples(2))


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="loss 'dpo' needs the tensor 'chosen_logps'"):
        trainer(tmp_path, "dpo", examples(2)).train()


def test_nothing_is_printed_and_nothing_written_elsewhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    trainer(inside, "supervised", examples(8), save_strategy="steps", save_steps=1).train()
    assert not list(outside.iterdir())
    shown = capfd.readouterr()
    assert not shown.out
    assert not shown.err


@given(cuts=st.sets(st.integers(1, 5)))
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_split_of_a_step_gives_the_same_step(tmp_path: Path, cuts: set[int]) -> None:
    """Micro-batches of any sizes: the collator is given them as they are."""
    data = examples(6)
    bounds = list(zip([0, *sorted(cuts)], [*sorted(cuts), 6], strict=True))
    micro = [data[low:high] for low, high in bounds]
    given = {"per_device_train_batch_size": 1, "data_collator": Nested()}
    parts = first_gradient(tmp_path, BALANCED, micro, mixtral(), gradient_accumulation_steps=len(micro), **given)
    whole = first_gradient(tmp_path, BALANCED, [data], mixtral(), **given)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    close(parts["whole"], whole["whole"])


class Nested:
    """Collates the only item of a batch, which is a batch itself."""

    def __call__(self, batches: Any) -> dict[str, Any]:
        return TokenCollator(pad=0)(batches[0])


def test_a_step_runs_the_model_once_for_each_micro_batch(tmp_path: Path) -> None:
    """A rule that counts what routers choose would count any other pass too."""
    for loss, passes in (("supervised", 4), ("moe_z", 4), (BALANCED, 8)):  # the last with a first pass for totals
        model = mixtral()
        given = {"max_steps": 1, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
        made = trainer(tmp_path, loss, examples(8), model, **given)
        calls: list[int] = []
        model.model.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        made.train()
        assert len(calls) == passes
