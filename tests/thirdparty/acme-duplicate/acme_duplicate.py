"""A metric whose name is taken; its entry point sorts before all others."""

from __future__ import annotations

import evalharness as eh


@eh.metric(better="higher")
def token_f1(response: str) -> float:
    """Always 1, and not what anyone means by token F1, 0 to 1."""
    return 1.0


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    return [token_f1]
