"""`evalharness plugin`: what is written, what is refused, what is checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evalharness import Metric, registry
from evalharness.cli.main import cli
from evalharness.cli.scaffold import MODULE
from evalharness.registry import Entry, Registry, Source


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, args)


def test_new_writes_four_files(tmp_path: Path) -> None:
    folder = tmp_path / "short"
    done = run("plugin", "new", "acme-short", "--folder", str(folder), "--json")
    assert done.exit_code == 0
    written = {Path(path).relative_to(folder).as_posix() for path in json.loads(done.output)}
    assert written == {"pyproject.toml", "acme_short.py", "tests/test_acme_short.py", "README.md"}
    assert all((folder / path).read_text(encoding="utf-8").count("$") == 0 for path in written)


def test_new_says_what_to_do_next(tmp_path: Path) -> None:
    done = run("plugin", "new", "acme-short", "--folder", str(tmp_path / "short"))
    assert "evalharness plugin test acme-short" in done.output


def test_the_module_is_thirteen_lines() -> None:
    assert len(MODULE.splitlines()) == 13


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    done = run("plugin", "new", "acme-short", "--folder", str(tmp_path))
    assert done.exit_code == 2
    assert f"{tmp_path} is there already and is not an empty folder; give another with --folder" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("name", ["", "Acme", "1st", "a b", "../evil", "acme-", "ümlaut", "a--b"])
def test_names_that_are_no_package_are_refused(name: str, tmp_path: Path) -> None:
    done = run("plugin", "new", "--folder", str(tmp_path / "new"), "--", name)
    assert done.exit_code == 2
    assert "cannot be the name of a package" in done.output
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["json", "class", "evalharness", "numpy"])
def test_names_that_are_taken_are_refused(name: str, tmp_path: Path) -> None:
    done = run("plugin", "new", name, "--folder", str(tmp_path / "new"))
    assert done.exit_code == 2
    assert f"choose another name, such as my-{name}" in done.output


def test_test_prints_a_line_a_check() -> None:
    done = run("plugin", "test", "echo")
    assert done.exit_code == 0
    assert "passed   model 'echo': answers each request once" in done.output
    assert done.output.rstrip().endswith(", 0 failed")


def test_test_prints_json() -> None:
    rows = json.loads(run("plugin", "test", "echo", "--json").output)
    assert {row["status"] for row in rows} <= {"passed", "skipped"}
    assert {"plugin", "check", "status", "message"} <= set(rows[0])


class Undocumented(Metric):
    name, better, range = "undocumented", "higher", (0, 1)

    def measure(self, response: list[str]) -> dict[str, list[float]]:
        return {"one": [1.0 for _ in response]}


def test_test_exits_with_1_where_a_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("short", "acme", "1.0")
    found = Registry(sources=[source])
    found.entries["metric"]["undocumented"] = Entry(Undocumented, source)
    monkeypatch.setattr(registry, "installed", lambda: found)
    done = run("plugin", "test", "acme")
    assert done.exit_code == 1
    assert "failed   metric 'undocumented': has a docstring" in done.output


def test_test_of_an_unknown_name_suggests_the_nearest() -> None:
    done = run("plugin", "test", "roouge")
    assert done.exit_code == 2
    assert "Did you mean 'rouge'?" in done.output
