"""Where samples come from, local files and the Hugging Face Hub, and transforms of responses."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_datasets() -> list[type[eh.Dataset]]:
    from evalharness_data.files import Files
    from evalharness_data.hub import Hub

    return [Files, Hub]


@eh.hookimpl
def evalharness_transforms() -> list[type[eh.Transform]]:
    from evalharness_data.extracting import Extract, ExtractChoice, ExtractJson
    from evalharness_data.refusing import Refusal
    from evalharness_data.transforms import After, FirstLine, Lowercase, Strip
    from evalharness_data.voting import MajorityVote

    return [After, Extract, ExtractChoice, ExtractJson, FirstLine, Lowercase, MajorityVote, Refusal, Strip]
