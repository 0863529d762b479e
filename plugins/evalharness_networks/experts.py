"""Which transformers configurations are mixtures of experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXPERT_COUNTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


def routes(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration counts experts among which tokens are routed.

    >>> routes({"model_type": "mixtral", "num_local_experts": 8}), routes({"model_type": "llama"})
    (True, False)
    """
    return any((config.get(key) or 0) > 1 for key in EXPERT_COUNTS)
