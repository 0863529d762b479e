"""Models behind an OpenAI-compatible server: the model `openai`."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_models() -> list[type[eh.Model]]:
    from evalharness_openai.model import OpenAI

    return [OpenAI]
