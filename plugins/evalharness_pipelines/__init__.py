"""Systems that answer by themselves: a Python function, an HTTP service, a program."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_models() -> list[type[eh.Model]]:
    from evalharness_pipelines.command import Command
    from evalharness_pipelines.function import Python
    from evalharness_pipelines.http import Http

    return [Python, Http, Command]
