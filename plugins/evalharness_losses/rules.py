"""Training rules: what changes training but is no scalar."""

from __future__ import annotations

import evalharness as eh

RULES: tuple[type[eh.TrainingRule], ...] = ()
