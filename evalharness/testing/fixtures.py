"""Pytest fixtures for authors of plugins; pytest finds them wherever evalharness is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that keeps how far metrics were from their references."""
    text = "write the largest differences that evalharness.testing.agree saw into agreement.json of each plugin package"
    parser.addoption("--record-agreement", action="store_true", help=text)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what was noted, where it is asked for."""
    if session.config.getoption("--record-agreement"):
        from evalharness.testing.agreement import write_agreement

        write_agreement()


@pytest.fixture(scope="session")
def conformance() -> Callable[..., list[Any]]:
    """Give `evalharness.testing.check`: `conformance(MyMetric)` fails with a message that says how to mend it."""
    from evalharness.testing import check

    return check
