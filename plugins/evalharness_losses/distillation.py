"""Distillation from a teacher's logits."""

from __future__ import annotations

import evalharness as eh

LOSSES: tuple[type[eh.Loss], ...] = ()
