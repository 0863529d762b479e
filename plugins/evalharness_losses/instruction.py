"""Instruction tuning: cross-entropy over tokens and its variants."""

from __future__ import annotations

import evalharness as eh

LOSSES: tuple[type[eh.Loss], ...] = ()
