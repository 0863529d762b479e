"""Checking what is installed: by package, by distribution, by name; and classes that cannot be tried as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalharness import Answer, DataError, Dataset, File, Item, Metric, Request, Response, Service, registry
from evalharness.errors import UnknownName
from evalharness.registry import Registry, Source
from evalharness.testing import ConformanceError, check, check_plugin
from evalharness.testing.packages import class_outcomes, installed_outcomes


class NeedsAnOption(Metric):
    """Share of responses that hold a word, 0 to 1."""

    name, better, range = "needs", "higher", (0, 1)
    word: str

    def measure(self, response: list[str]) -> dict[str, list[float]]:
        return {"found": [float(self.word in text) for text in response]}


class WithExample(NeedsAnOption):
    """Share of responses that hold a word, 0 to 1."""

    name, example = "with_example", {"word": "a"}


class Lines(Dataset):
    """Lines of a file."""

    name, example = "lines", {"path": "data.txt"}
    path: File

    def items(self) -> Iterator[Item]:
        self.find()
        with open(self.path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield Item({"id": str(number), "input": line}, f"{self.path}:{number}")

    def find(self) -> None:
        if not Path(self.path).exists():
            raise DataError(f"{self.path}: no such file")

    def digest(self) -> str:
        self.find()
        with open(self.path, encoding="utf-8") as file:
            return file.read()


class Silent(Service):
    """Stands for a model behind a network."""

    name, supports = "silent", (Answer,)

    def identity(self) -> str:
        return "silent"

    async def ask_one(self, request: Request) -> Response:
        raise AssertionError("it was asked")


def test_a_service_is_not_asked_by_its_example() -> None:
    found = {outcome.check: outcome.status for outcome in class_outcomes(Silent)}
    assert set(found.values()) == {"passed", "skipped"}
    assert found["plans every request once"] == "passed"
    assert found["answers something"] == "skipped"


def test_a_required_option_without_example_is_asked_for() -> None:
    (outcome,) = class_outcomes(NeedsAnOption)
    assert (outcome.check, outcome.status) == ("can be built", "failed")
    assert "metric 'needs' needs the option 'word' (a string)" in outcome.message
    assert "write example = {...} in class NeedsAnOption" in outcome.message


def test_an_example_builds_it() -> None:
    assert not [outcome for outcome in class_outcomes(WithExample) if outcome.status == "failed"]


def test_a_data_set_whose_example_names_an_absent_file_is_checked_as_far_as_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcomes = {outcome.check: outcome for outcome in class_outcomes(Lines)}
    assert outcomes["pickles"].status == "passed"
    skipped = outcomes["has a stable digest"]
    assert (skipped.status, skipped.raised) == ("skipped", "DataError")
    assert "check an instance in a test of your own" in skipped.message
    with pytest.raises(ConformanceError, match=r"data\.txt: no such file"):
        check(Lines(path=File("data.txt")))
    (tmp_path / "data.txt").write_text("one\ntwo\n", encoding="utf-8")
    assert {outcome.check: outcome.status for outcome in class_outcomes(Lines)}["has a stable digest"] == "passed"


@pytest.mark.parametrize("name", ["echo", "recorded"])
def test_plugins_are_found_by_every_name(name: str) -> None:
    assert all(outcome.status != "failed" for outcome in check_plugin(name))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"nothing that is installed is called 'ecko'\. Did you mean 'echo'"):
        installed_outcomes("ecko")


def test_a_package_that_does_not_load_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Registry(broken={Source("bad", "acme-bad", "1.0"): "ImportError: no"})
    monkeypatch.setattr(registry, "installed", lambda: broken)
    with pytest.raises(ConformanceError, match=r"plugin bad \(acme-bad 1\.0\): loads"):
        check_plugin("acme-bad")


def test_one_check_serves_every_kind(conformance: Callable[..., Any]) -> None:
    assert conformance is check
    assert {outcome.plugin for outcome in conformance(WithExample)} == {"metric 'with_example'"}
    assert conformance(WithExample(word="b"), {"response": ["a", "b"]})
