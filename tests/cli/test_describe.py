"""`evalharness describe`: what a plugin says about itself, and an example that a task file accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from evalharness import registry
from evalharness.cli.main import cli
from evalharness.contract.options import convert_options, to_spec

ENTRIES = [(kind, entry.cls) for kind in registry.BASES for entry in registry.installed().classes(kind)]


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["describe", *args])


def described(name: str) -> Any:
    return json.loads(run(name, "--json").output)


def test_a_metric_tells_all_about_itself() -> None:
    (rouge,) = described("rouge")
    assert (rouge["kind"], rouge["better"], rouge["distribution"]) == ("metric", "higher", "evalharness")
    assert rouge["reads"] == ["response", "references"]
    assert ".rougeL" in rouge["parts"]
    assert {"name", "type", "default"} <= set(rouge["options"][0])


def test_the_page_fits_80_columns_but_for_what_the_plugin_wrote() -> None:
    page = run("token_f1").output
    assert page.startswith("token_f1 (metric)\n")
    assert "in a task file\n  metrics:\n    - token_f1" in page
    assert "range             0 to 1" in page


def test_a_name_of_two_kinds_is_described_twice() -> None:
    assert [each["kind"] for each in described("recorded")] == ["model", "retriever"]


def test_an_unknown_name_is_answered_from_all_kinds() -> None:
    done = run("bm26")
    assert done.exit_code == 2
    assert "No plugin is called 'bm26'. Did you mean 'bm25'?" in done.output


@pytest.mark.parametrize(("kind", "cls"), ENTRIES, ids=[f"{kind}-{cls.name}" for kind, cls in ENTRIES])
def test_every_plugin_is_described_with_an_example_that_a_task_file_accepts(kind: registry.Kind, cls: Any) -> None:
    (found,) = (each for each in described(cls.name) if each["kind"] == kind)
    written = _named(yaml.safe_load(found["example"]), cls.name)
    spec = to_spec(written)
    assert spec.name == cls.name
    kwargs, faults = convert_options(cls, spec.options, kind=kind)
    assert not faults
    assert cls(**kwargs).signature().startswith(cls.name)
    assert run(cls.name).exit_code == 0


def _named(written: Any, name: str) -> Any:
    """Return the part of an example that stands for the plugin: its name, or a mapping of it to options."""
    if written == name or (isinstance(written, dict) and name in written):
        return written
    inner = written.values() if isinstance(written, dict) else written if isinstance(written, list) else ()
    return next((found for part in inner if (found := _named(part, name)) is not None), None)


OURS = [entry for entry in registry.installed().classes("metric") if entry.source.distribution == "evalharness"]


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.cls.name)
def test_a_metric_that_has_a_reference_tells_the_largest_difference_that_tests_saw(entry: registry.Entry) -> None:
    (told,) = (each for each in described(entry.cls.name) if each["kind"] == "metric")
    reference = told.get("reference", "")
    if "agreement" in told:
        assert told["agreement"]["difference"] <= told["agreement"]["tolerance"]
    else:  # the definition itself, which tests count out
        assert reference.startswith(("closed form", "the metric itself")), "run pytest -n 0 --record-agreement tests/plugins"
