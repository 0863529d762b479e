"""The network `hf`: weights that exist, trained as a whole or through low-rank adapters."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evalharness as eh
from evalharness_networks.experts import routes
from evalharness_networks.folders import without_versions

LAST = re.compile(r"last ([1-9][0-9]*)")
LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank adapters: of which `rank`, beside which `modules`, in which `layers` ("last 10", or numbers from 0).

    What they add is scaled by `alpha / rank`; without `alpha`, which then is twice the rank, by 2.
    """

    rank: int = 8
    modules: tuple[str, ...] = ("q_proj", "v_proj")
    layers: str | tuple[int, ...] | None = None
    alpha: int | None = None


class Weights(eh.Network):
    """A language model of the transformers library whose weights exist already.

    - `weights`: a pinned name (`evalharness weights list`), a local folder, or OWNER/NAME@REVISION on a hub.
    - `lora`: the low-rank adapters that are trained while the weights stand still: `{rank: 8, modules: [q_proj, v_proj],
      layers: last 10, alpha: 16}`; without it all weights are trained.

    It computes in float32. Adapters start as the peft library draws them, so that the model is that of the weights.
    """

    name, needs = "hf", "hf"

    weights: str = "smollm2-135m-instruct"
    lora: Lora | None = None

    def __post_init__(self) -> None:
        if self.lora is None:
            return
        if self.lora.rank < 1:
            raise ValueError(f"lora: 'rank' must be at least 1, not {self.lora.rank}")
        if not self.lora.modules:
            raise ValueError("lora: 'modules' must name at least one kind of layer, such as q_proj")
        if isinstance(self.lora.layers, str) and not LAST.fullmatch(self.lora.layers):
            raise ValueError(f"lora: 'layers' must be a list of numbers or such as 'last 10', not '{self.lora.layers}'")

    @property
    def kept(self) -> str:  # type: ignore[override]
        return "weights" if self.lora is None else "adapter"

    @property
    def routed(self) -> bool:
        return routes(self._config())

    def _config(self) -> Mapping[str, Any]:
        config: dict[str, Any] = json.loads((eh.resolve_weights(self.weights) / "config.json").read_text("utf-8"))
        return config

    def build(self, data: Any, seed: int) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        folder = eh.resolve_weights(self.weights)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        if self.lora is None:
            return model
        from peft import LoraConfig, get_peft_model

        adapters = LoraConfig(
            r=self.lora.rank,
            lora_alpha=2 * self.lora.rank if self.lora.alpha is None else self.lora.alpha,
            target_modules=list(self.lora.modules),
            layers_to_transform=self._layers(self.lora),
            lora_dropout=0.0,
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what one of the libraries will one day change for the other
            torch.manual_seed(seed)
            try:
                return get_peft_model(model, adapters)
            except ValueError as error:
                raise eh.UsageError(f"network 'hf': these adapters do not fit '{self.weights}': {error}") from error

    def _layers(self, lora: Lora) -> list[int] | None:
        if lora.layers is None:
            return None
        config = self._config()
        every = next((int(config[key]) for key in LAYER_COUNTS if key in config), 0)
        last = LAST.fullmatch(lora.layers) if isinstance(lora.layers, str) else None
        chosen = [*range(max(0, every - int(last[1])), every)] if last else [int(layer) for layer in lora.layers]
        beyond = [layer for layer in chosen if not 0 <= layer < every]
        if beyond:
            raise eh.UsageError(f"network 'hf': '{self.weights}' has the layers 0 to {every - 1}, no layer {beyond[0]}")
        return chosen

    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(eh.resolve_weights(self.weights), local_files_only=True)

    def start(self) -> eh.Spec:
        return eh.Spec("hf", {"weights": self.weights})

    def save(self, module: Any, folder: str) -> eh.Spec:
        module.save_pretrained(folder)
        if self.lora is not None:
            for path in Path(folder).glob("*.md"):
                path.unlink()
            _as_the_task_has_it(Path(folder) / "adapter_config.json", self.weights)
            return eh.Spec("hf", {"weights": self.weights, "adapter": folder})
        without_versions(folder)
        origin = eh.resolve_weights(self.weights)
        for name in TOKENIZER_FILES:
            if (origin / name).is_file():
                shutil.copyfile(origin / name, Path(folder) / name)
        return eh.Spec("hf", {"weights": folder})


def _as_the_task_has_it(path: Path, weights: str) -> None:
    """Let the adapters name the weights as the task does: where these lie, and with which library, is no part of them."""
    config = json.loads(path.read_text("utf-8"))
    config["base_model_name_or_path"] = weights
    config["target_modules"] = sorted(config["target_modules"])  # peft keeps a set, whose order is not that of another run
    config.pop("peft_version", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
