"""Networks: what they are made of follows from the seed, and what is kept answers as what was trained."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import evalharness as eh
from evalharness import registry
from evalharness.errors import FaultsFound

SIZES = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}  # fmt: skip
SCRATCH = {"type": "llama", **SIZES}


def network(name: str, **options: Any) -> eh.Network:
    made: eh.Network = registry.build("network", eh.Spec(name, options))
    return made


def parameters(module: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give a folder with the weights of a small model over bytes."""
    folder = tmp_path_factory.mktemp("weights") / "small"
    scratch = network("config", **SCRATCH)
    scratch.save(scratch.build(None, 0), str(folder))
    return str(folder)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))


def logprobs(spec: eh.Spec, text: str = "hello, wörld") -> tuple[float, ...]:
    model: eh.Model = registry.build("model", spec)
    ((_, response),) = model.answer([eh.Likelihood(text=text)])
    assert response.logprobs is not None, response.error
    return response.logprobs


@pytest.mark.parametrize(
    ("name", "options"),
    [("config", SCRATCH), ("config", {**SCRATCH, "type": "mixtral", "num_local_experts": 4}), ("mlp", {"width": 5})],
)
def test_random_weights_follow_from_the_seed_alone(name: str, options: dict[str, Any]) -> None:
    data = SimpleNamespace(columns=3, classes=0)
    torch.manual_seed(1)
    first = network(name, **options).build(data, 7)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    again, other = network(name, **options).build(data, 7), network(name, **options).build(data, 8)
    assert torch.equal(parameters(first), parameters(again))
    assert not torch.equal(parameters(first), parameters(other))
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))  # whoever draws beside it is not disturbed


def test_a_model_over_bytes_reads_any_text_and_is_kept(weights: str) -> None:
    text = "Größe: 😀\n\tend"
    assert len(logprobs(eh.Spec("hf", {"weights": weights}), text)) == len(text.encode())
    config = json.loads(Path(weights, "config.json").read_text())
    assert "transformers_version" not in config


def test_adapters_start_as_the_weights_are_and_are_kept_with_what_they_learnt(weights: str, tmp_path: Path) -> None:
    adapted = network("hf", weights=weights, lora={"rank": 2, "modules": ["q_proj"], "layers": "last 2"})
    module = adapted.build(None, 0)
    start = adapted.start()
    assert start is not None
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert {name.split("layers.")[1][0] for name in trained} == {"1", "2"}
    untouched = adapted.save(module, str(tmp_path / "untouched"))
    assert untouched is not None
    assert logprobs(untouched) == pytest.approx(logprobs(start), abs=1e-6)
    with torch.no_grad():
        for parameter in trained.values():
            parameter += 0.5
    changed = adapted.save(module, str(tmp_path / "changed"))
    assert changed is not None
    ids = torch.tensor([[256, *b"hello"]])
    with torch.no_grad():
        wanted = module.eval()(input_ids=ids).logits.log_softmax(-1)[0, range(5), ids[0, 1:]].tolist()
    assert logprobs(changed, "hello") == pytest.approx(wanted, abs=1e-5)
    assert {path.name for path in (tmp_path / "changed").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads((tmp_path / "changed" / "adapter_config.json").read_text())["base_model_name_or_path"] == weights
    identities = [registry.build("model", spec).identity() for spec in (start, untouched, changed)]
    assert len(set(identities)) == 3


def test_the_whole_model_is_kept_without_adapters(weights: str, tmp_path: Path) -> None:
    whole = network("hf", weights=weights)
    module = whole.build(None, 0)
    kept = whole.save(module, str(tmp_path / "kept"))
    assert kept is not None
    assert logprobs(kept) == logprobs(eh.Spec("hf", {"weights": weights}))
    assert (whole.kept, network("hf", lora={}).kept) == ("weights", "adapter")


@pytest.mark.parametrize(
    ("lora", "told"),
    [
        ({"rank": 0}, "'rank' must be at least 1"),
        ({"modules": []}, "'modules' must name at least one"),
        ({"layers": "first 2"}, "such as 'last 10', not 'first 2'"),
        ({"ranks": 1}, "has no key 'ranks'. Did you mean 'rank'?"),
        ({"modules": "q_proj"}, "must be a list of"),
    ],
)
def test_adapters_that_cannot_be_are_refused(lora: dict[str, Any], told: str) -> None:
    with pytest.raises(FaultsFound, match=told.replace("?", r"\?")):
        network("hf", lora=lora)


def test_adapters_that_do_not_fit_the_weights_are_told(weights: str) -> None:
    with pytest.raises(eh.UsageError, match="these adapters do not fit"):
        network("hf", weights=weights, lora={"modules": ["nothing"]}).build(None, 0)
    with pytest.raises(eh.UsageError, match="has the layers 0 to 2, no layer 5"):
        network("hf", weights=weights, lora={"layers": [1, 5]}).build(None, 0)


def test_architectures_and_options_that_there_are_not_are_told() -> None:
    with pytest.raises(eh.UsageError, match="has no architecture 'lama'"):
        network("config", type="lama").build(None, 0)
    with pytest.raises(eh.UsageError, match="the architecture 'llama' has no option 'num_local_experts'"):
        network("config", **SCRATCH, num_local_experts=4).build(None, 0)


@pytest.mark.parametrize(
    ("options", "routed"),
    [(SCRATCH, False), ({"type": "mixtral"}, True), ({"type": "qwen2_moe"}, True), ({"type": "llama", "num_experts": 4}, True)],
)
def test_a_mixture_is_known_without_building_it(options: dict[str, Any], routed: bool) -> None:
    assert network("config", **options).routed is routed


def test_the_weights_say_whether_they_are_a_mixture(weights: str) -> None:
    assert not network("hf", weights=weights).routed


@pytest.mark.parametrize(("classes", "shape"), [(0, (4,)), (2, (4,)), (5, (4, 5))])
@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_networks_over_tables_give_a_number_a_row_or_one_a_class(name: str, classes: int, shape: tuple[int, ...]) -> None:
    made = network(name).build(SimpleNamespace(columns=3, classes=classes), 0)(torch.ones(4, 3))
    assert made.shape == shape


def test_a_folder_that_is_no_adapter_is_told(weights: str, tmp_path: Path) -> None:
    with pytest.raises(eh.WeightsError, match=r"holds no adapter_config\.json, so it is no adapter"):
        eh.load_model("hf", weights=weights, adapter=str(tmp_path)).identity()
