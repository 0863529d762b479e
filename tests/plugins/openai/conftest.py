"""Fixtures for tests of the model `openai`: a server, no key, short waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evalharness.contract.asking import backoff
from tests.plugins.openai.serving import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """Give a server that answers every question."""
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("EVALHARNESS_OFFLINE", raising=False)


@pytest.fixture
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.01)
