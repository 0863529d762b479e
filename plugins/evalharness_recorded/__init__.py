"""Models without a model: `recorded` plays back a file of responses, `echo` answers by rule, `no_model` says nothing."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_models() -> list[type[eh.Model]]:
    from evalharness_recorded.echo import Echo
    from evalharness_recorded.no_model import NoModel
    from evalharness_recorded.recorded import Recorded

    return [Recorded, Echo, NoModel]
