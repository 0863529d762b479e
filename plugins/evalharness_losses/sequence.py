"""Sequence losses: CTC, minimum risk, REINFORCE."""

from __future__ import annotations

import evalharness as eh

LOSSES: tuple[type[eh.Loss], ...] = ()
