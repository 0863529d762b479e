from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.runs import write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run of 60 samples, some of them hostile."""
    return write_run(tmp_path_factory.mktemp("mills"))
