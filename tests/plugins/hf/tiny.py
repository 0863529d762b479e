"""Language models with random weights of a few tens of kilobytes, one of each way to build attention, made in memory."""

from __future__ import annotations

import functools
import warnings
from typing import Any

VOCABULARY = 211
WINDOW = 24
_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "initializer_range": 0.5, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_GROUPED = {**_SIZES, "num_key_value_heads": 2}
_LONG_ROPE = {
    "rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [1.0, 2.0, 4.0, 8.0],
    "original_max_position_embeddings": WINDOW, "rope_theta": 10_000.0,
}  # fmt: skip
_MIXED = {"num_experts_per_tok": 2, "head_dim": 8}
_GPT2 = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.5}

# The weights are large, so that what a token sees changes what comes next by far more than rounding does.
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", _GROUPED),
    "gpt2": ("GPT2Config", {**_GPT2, "bos_token_id": 1, "eos_token_id": 2}),
    "qwen2": ("Qwen2Config", _GROUPED),
    "qwen3": ("Qwen3Config", {**_GROUPED, "head_dim": 8}),
    "gemma": ("GemmaConfig", {**_GROUPED, "head_dim": 8}),
    "gemma2": ("Gemma2Config", {**_GROUPED, "head_dim": 8, "sliding_window": WINDOW}),
    "mistral": ("MistralConfig", {**_GROUPED, "sliding_window": WINDOW}),
    "mixtral": ("MixtralConfig", {**_GROUPED, **_MIXED, "num_local_experts": 4}),
    "gpt_oss": ("GptOssConfig", {**_GROUPED, **_MIXED, "num_local_experts": 4, "sliding_window": WINDOW}),
    "bloom": ("BloomConfig", {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.5}),
    "phi3": ("Phi3Config", {**_GROUPED, "original_max_position_embeddings": WINDOW, "rope_parameters": _LONG_ROPE}),
    "mpt": ("MptConfig", {"vocab_size": VOCABULARY, "d_model": 32, "n_layers": 2, "n_heads": 4, "initializer_range": 0.5}),
    "qwen2_moe": ("Qwen2MoeConfig", {
        **_GROUPED, "num_experts_per_tok": 2, "num_experts": 4, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 8,
    }),
    "doge": ("DogeConfig", _GROUPED),
    "gpt": ("OpenAIGPTConfig", _GPT2),
    "mamba": ("MambaConfig", {**_SIZES, "state_size": 8}),
}  # fmt: skip


@functools.cache
def tiny(name: str, attention: str | None = None) -> Any:
    """Return the model of that architecture, made once a session."""
    import torch
    import transformers

    kind, options = CONFIGS[name]
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = getattr(transformers, kind)(**options)
        return transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
