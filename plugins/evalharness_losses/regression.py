"""Regression losses over predictions and targets."""

from __future__ import annotations

import evalharness as eh

LOSSES: tuple[type[eh.Loss], ...] = ()
