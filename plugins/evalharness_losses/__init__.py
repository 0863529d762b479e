"""Training losses, one module a family (`families` lists them), and training rules."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_losses() -> list[type[eh.Loss]]:
    from evalharness_losses.families import LOSSES

    return list(LOSSES)


@eh.hookimpl
def evalharness_rules() -> list[type[eh.TrainingRule]]:
    from evalharness_losses.rules import RULES

    return list(RULES)
