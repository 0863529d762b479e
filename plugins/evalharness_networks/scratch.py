"""The network `config`: a language model over bytes, from scratch, in any architecture of the transformers library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import evalharness as eh
from evalharness_networks.bytes import SIZE, byte_tokenizer
from evalharness_networks.experts import routes
from evalharness_networks.folders import without_versions

# Architectures that count experts even where the task does not say how many.
ROUTED = frozenset(
    "dbrx deepseek_v2 deepseek_v3 gpt_oss granitemoe jamba mixtral olmoe phimoe qwen2_moe qwen3_moe".split(" ")  # noqa: SIM905
)


class Scratch(eh.Network):
    """A language model over bytes with random weights, in an architecture of the transformers library.

    `type` names the architecture as transformers does (`llama`, `mixtral`, `qwen2_moe`, `deepseek_v3`, ...); the other
    options are those of its configuration, null for its own default. The tokenizer has one token a byte and three more,
    so that any text can be read. A penalty that the architecture would add for its routers is not added: that is what
    losses are for.
    """

    name, needs = "config", "hf"
    example: ClassVar[Mapping[str, Any]] = {"type": "mixtral", "hidden_size": 64, "num_hidden_layers": 2}

    type: str
    hidden_size: int | None = None
    intermediate_size: int | None = None
    num_hidden_layers: int | None = None
    num_attention_heads: int | None = None
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    max_position_embeddings: int | None = None
    tie_word_embeddings: bool | None = None
    initializer_range: float | None = None
    num_local_experts: int | None = None
    num_experts: int | None = None
    num_experts_per_tok: int | None = None
    n_routed_experts: int | None = None
    n_shared_experts: int | None = None
    n_group: int | None = None
    topk_group: int | None = None
    first_k_dense_replace: int | None = None
    norm_topk_prob: bool | None = None
    routed_scaling_factor: float | None = None
    moe_intermediate_size: int | None = None
    shared_expert_intermediate_size: int | None = None
    decoder_sparse_step: int | None = None
    q_lora_rank: int | None = None
    kv_lora_rank: int | None = None
    qk_nope_head_dim: int | None = None
    qk_rope_head_dim: int | None = None
    v_head_dim: int | None = None

    @property
    def routed(self) -> bool:
        return self.type in ROUTED or routes(self._given())

    def _given(self) -> dict[str, Any]:
        return {name: value for name, value in self.options().items() if value is not None and name != "type"}

    def check(self) -> None:
        self._config()

    def build(self, data: Any, seed: int) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        config = self._config()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return AutoModelForCausalLM.from_config(config, dtype=torch.float32)

    def _config(self) -> Any:
        from transformers import AutoConfig

        tokenizer = byte_tokenizer()
        ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
        try:
            known = AutoConfig.for_model(self.type)
        except ValueError as error:
            raise eh.UsageError(f"network 'config': the transformers library has no architecture '{self.type}'") from error
        strange = [name for name in self._given() if not hasattr(known, name)]
        if strange:
            raise eh.UsageError(f"network 'config': the architecture '{self.type}' has no option '{strange[0]}'")
        return AutoConfig.for_model(self.type, vocab_size=SIZE, **ids, **self._given())

    def tokenizer(self) -> Any:
        return byte_tokenizer()

    def save(self, module: Any, folder: str) -> eh.Spec:
        module.save_pretrained(folder)
        byte_tokenizer().save_pretrained(folder)
        without_versions(folder)
        return eh.Spec("hf", {"weights": folder})
