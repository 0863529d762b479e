"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores, which threads of each would only fight for
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before anything is imported that reads them: libraries look nothing up on a hub while tests run.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

hypothesis.settings.register_profile("same every time", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same every time")

ROOT = Path(__file__).parent.parent
# Labelled data is no part of the project; by default it is looked for in a folder beside the project.
LABELLED = Path(os.environ.get("EVALHARNESS_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def labelled_data() -> Callable[[str], Path]:
    """Give the path of a file of human-labelled data, or skip where that data is absent."""

    def find(name: str) -> Path:
        path = LABELLED / name
        if not path.exists():
            pytest.skip(f"the labelled data set {name} is absent; EVALHARNESS_TEST_DATA names its folder")
        return path

    return find


@pytest.fixture(scope="session")
def causal_model() -> object:
    """Give the real language model of the embedded default, loaded once a session."""
    import evalharness as eh

    return eh.load_model("hf", weights="smollm2-135m-instruct")
