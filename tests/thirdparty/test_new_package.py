"""`evalharness plugin new` writes a package that, built and installed, works and passes its own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from evalharness.cli.main import cli


def test_the_package_is_built_installed_listed_and_passes_its_own_tests(fresh: Any, tmp_path: Path) -> None:
    folder = tmp_path / "acme-shortness"
    assert CliRunner().invoke(cli, ["plugin", "new", "acme-shortness", "--folder", str(folder)]).exit_code == 0
    fresh.install(folder, tmp_path)
    assert "acme_shortness" in fresh.evalharness("list", "metrics").stdout
    checked = fresh.evalharness("plugin", "test", "acme-shortness")
    assert checked.returncode == 0, checked.stdout
    tested = fresh.python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder), cwd=folder)
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
