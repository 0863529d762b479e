"""Classification losses over logits and a target class."""

from __future__ import annotations

import evalharness as eh

LOSSES: tuple[type[eh.Loss], ...] = ()
