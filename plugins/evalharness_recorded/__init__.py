"""Models without a model: `recorded` plays back a file of responses, `echo` answers by rule, for tests."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_models() -> list[type[eh.Model]]:
    from evalharness_recorded.echo import Echo
    from evalharness_recorded.recorded import Recorded

    return [Recorded, Echo]
