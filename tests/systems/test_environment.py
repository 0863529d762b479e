"""Where caches live and whether the network may be used, by the user's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness.systems.environment import cache_folder, offline

VARIABLES = ("EVALHARNESS_CACHE", "XDG_CACHE_HOME", "EVALHARNESS_OFFLINE")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("variables", "root"),
    [
        ({}, "home/.cache/evalharness"),
        ({"XDG_CACHE_HOME": "xdg"}, "xdg/evalharness"),
        ({"XDG_CACHE_HOME": "xdg", "EVALHARNESS_CACHE": "own"}, "own"),
        ({"XDG_CACHE_HOME": "xdg", "EVALHARNESS_CACHE": ""}, "xdg/evalharness"),
        ({"XDG_CACHE_HOME": "", "EVALHARNESS_CACHE": ""}, "home/.cache/evalharness"),
    ],
)
def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], root: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value and str(tmp_path / value))
    assert cache_folder() == tmp_path / root
    assert cache_folder("index", "bm25") == tmp_path / root / "index" / "bm25"
    assert (tmp_path / root / "index" / "bm25").is_dir()


def test_a_cache_folder_that_is_there_keeps_what_it_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path))
    (cache_folder("weights") / "kept").write_text("x")
    assert (cache_folder("weights") / "kept").read_text() == "x"


@pytest.mark.parametrize(("value", "forbidden"), [(None, False), ("", False), ("0", False), ("1", True), ("true", True)])
def test_the_network_is_forbidden_by_a_variable(monkeypatch: pytest.MonkeyPatch, value: str | None, forbidden: bool) -> None:
    if value is not None:
        monkeypatch.setenv("EVALHARNESS_OFFLINE", value)
    assert offline() is forbidden
