"""Pytest fixtures for authors of plugins; pytest finds them wherever evalharness is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def conformance() -> Callable[..., list[Any]]:
    """Give `evalharness.testing.check`: `conformance(MyMetric)` fails with a message that says how to mend it."""
    from evalharness.testing import check

    return check
