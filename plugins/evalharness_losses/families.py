"""The families of losses; a module of this package whose losses stand in its `LOSSES`."""

from __future__ import annotations

import evalharness as eh
from evalharness_losses import (
    classification,
    combining,
    distillation,
    instruction,
    margins,
    mixture,
    preference,
    regression,
    retriever,
    robust,
    routers,
    sequence,
)

FAMILIES = (
    instruction,
    margins,
    mixture,
    routers,
    preference,
    distillation,
    retriever,
    sequence,
    classification,
    regression,
    robust,
    combining,
)
LOSSES: tuple[type[eh.Loss], ...] = tuple(loss for family in FAMILIES for loss in family.LOSSES)
