"""The example plugin for MLflow as a distribution: built, installed, found by its entry point, and its own tests run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "evalharness-mlflow"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.thirdparty.conftest import Environment

    scratch = tmp_path_factory.mktemp("mlflow")
    made = Environment.make(scratch / "environment")
    made.install(PROJECT, scratch)
    return made


def test_it_is_found_by_its_entry_point_without_loading_mlflow(installed: Any) -> None:
    shown = installed.evalharness("plugins", "--json")
    packages = {each["distribution"]: each for each in json.loads(shown.stdout)["installed"]}
    assert packages["evalharness-mlflow"]["provides"] == {"hooks": ["evalharness_run_finished"]}
    code = "import sys; from evalharness import registry; registry.installed(); print('mlflow' in sys.modules)"
    assert installed.python("-c", code).stdout == "False\n"


def test_its_own_tests_pass_where_it_is_installed(installed: Any, tmp_path: Path) -> None:
    done = installed.python("-m", "pytest", "-p", "no:cacheprovider", str(PROJECT / "tests"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
