"""What is installed is what pyproject.toml says."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import evalharness

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("group", [*PROJECT["entry-points"], "console_scripts"])
def test_installed_entry_points_are_those_of_the_project(group: str) -> None:
    stated = PROJECT["scripts"] if group == "console_scripts" else PROJECT["entry-points"][group]
    points = metadata.distribution("evalharness").entry_points
    installed = {point.name: point.value for point in points if point.group == group}
    assert installed == stated, "entry points are metadata: install the project again with pip install -e ."


def test_every_plugin_package_has_an_entry_point() -> None:
    packages = {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}
    assert packages == set(PROJECT["entry-points"]["evalharness"].values())


def test_the_version_is_the_projects() -> None:
    assert evalharness.__version__ == PROJECT["version"]


def test_types_are_shipped() -> None:
    assert (ROOT / "evalharness" / "py.typed").exists()
