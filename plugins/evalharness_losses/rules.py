"""Training rules: what changes training but is no scalar."""

from __future__ import annotations

import evalharness as eh
from evalharness_losses.balancing import BiasBalance
from evalharness_losses.noise import Neftune
from evalharness_losses.surgery import MGDA, PCGrad

RULES: tuple[type[eh.TrainingRule], ...] = (PCGrad, MGDA, Neftune, BiasBalance)
