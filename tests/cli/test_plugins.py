"""`evalharness plugins`: what is installed, and what failed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from evalharness import registry
from evalharness.cli.main import cli
from evalharness.registry import Registry, Source


def test_our_packages_are_listed_with_what_they_provide() -> None:
    shown = json.loads(CliRunner().invoke(cli, ["plugins", "--json"]).output)
    packages = {each["plugin"]: each["provides"] for each in shown["installed"]}
    assert "bleu" in packages["text"]["metrics"]
    assert "bm25" in packages["retrieval"]["retrievers"]


def test_failures_and_restrictions_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Registry(broken={Source("bad", "acme-bad", "1.0"): "ImportError: no"})
    monkeypatch.setattr(registry, "installed", lambda: broken)
    monkeypatch.setenv("EVALHARNESS_PLUGINS", "bad")
    told = CliRunner().invoke(cli, ["plugins"]).output
    assert "Failed: bad (acme-bad 1.0)\n  ImportError: no" in told
    assert "EVALHARNESS_PLUGINS restricts loading to: bad" in told
