"""The conformance kit passes what keeps the contract, and catches each breach by the check that is meant for it."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from evalharness import Metric, metric
from evalharness.testing import ConformanceError, check_metric
from evalharness.testing.metrics import metric_outcomes


def bad_metrics() -> types.ModuleType:
    """Import the module under a name of its own, so that its classes pickle under every import mode of pytest."""
    name = "evalharness_bad_metrics"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "bad_metrics.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


BAD = bad_metrics()
ROUND = "evalharness_bad_metrics"


@metric(better="higher")
def brevity(response: str, *, limit: int = 5) -> float:
    """Share of responses of at most `limit` characters, 0 to 1."""
    return float(len(response) <= limit)


@pytest.mark.parametrize("good", [BAD.Good, BAD.Pooled, BAD.Asking, BAD.Using, brevity, brevity(limit=3)], ids=repr)
def test_a_metric_that_keeps_the_contract_passes_every_check(good: Any) -> None:
    assert {outcome.status for outcome in check_metric(good)} == {"passed", "skipped"}


BREACHES = {
    "BatchDependent": ("gives the same rows whatever the batch", "rows do not depend on how samples are cut"),
    "AverageOfTheBatch": ("gives the same rows whatever the batch", "rows do not depend on how samples are cut"),
    "BranchingScore": ("score broadcasts", "np.where(a > 0, x, y) instead of if"),
    "SummingScore": ("score broadcasts", "among others"),
    "MutatingInputs": ("leaves its inputs untouched", "it changed 'response'"),
    "WrongNumberOfRows": ("returns one row per sample", "returned 13 rows of 'hits' for 14 samples"),
    "OneNumber": ("returns one row per sample", "returned one float as 'hits'"),
    "Unpicklable": ("pickles", "cannot pickle 'lock' object"),
    "Nondeterministic": ("gives the same rows again", "seed what is random"),
    "MissingDocstring": ("has a docstring", "class MissingDocstring has none"),
    "PartsMismatch": ("scores are those that parts names", "its parts are .share, .rate"),
    "OutOfRange": ("stays in its range", "state the true range"),
    "RangeUpsideDown": ("states its direction unit and range", "(1, 0)"),
    "FailsOnEmptyText": ("measures empty and unicode text", "IndexError: string index out of range"),
    "ShapeOfTheData": ("gives the same rows whatever the batch", "the shape of a statistic depends on the options alone"),
    "ChangesItsOptions": ("rebuilds from its spec", "good|limit:4 came back as good|limit:2"),
    "StrangeOption": ("rebuilds from its spec", "option 'words'"),
    "UnhashableOption": ("hashes", "unhashable type: 'list'"),
    "ReasonWithoutWords": ("gives reasons in words", "{5: ''}"),
    "EvidenceOfTheBatch": ("gives the same rows whatever the batch", "the evidence of row 0 is [{'note': 14}], then [{'note':"),
    "EvidenceThatIsNotPlain": ("returns one row per sample", "evidence of row 0 that JSON cannot hold: bytes"),
    "MeasuresNothing": ("measures some of the samples", "all are unmeasured: no reason"),
    "ReadsTheUnknown": ("reads known columns", "pass columns={'blood_pressure': [...]}"),
    "IgnoresWeights": ("weights count rows", "with rows repeated"),
    "AsksForever": ("asks at most four rounds", "it goes on asking"),
}


@pytest.mark.parametrize(("name", "check", "message"), [(name, *found) for name, found in BREACHES.items()], ids=list(BREACHES))
def test_each_breach_is_caught_by_its_check(name: str, check: str, message: str) -> None:
    outcomes = metric_outcomes(getattr(BAD, name))
    failed = {outcome.check: outcome.message for outcome in outcomes if outcome.status == "failed"}
    assert check in failed, failed
    assert message in failed[check]


def test_every_bad_metric_is_in_the_table() -> None:
    own = {
        name
        for name, item in vars(BAD).items()
        if isinstance(item, type) and issubclass(item, Metric) and item.__module__ == ROUND
    }
    assert own - set(BREACHES) == {"Good", "Pooled", "Asking", "Using"}


@pytest.mark.parametrize("name", [name for name in BREACHES if name not in ("MeasuresNothing",)])
def test_a_breach_is_not_blamed_on_everything_else(name: str) -> None:
    failed = [outcome.check for outcome in metric_outcomes(getattr(BAD, name)) if outcome.status == "failed"]
    assert len(failed) <= 3, failed


def test_the_message_names_plugin_check_expectation_sight_and_remedy() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_metric(BAD.MutatingInputs)
    assert str(caught.value).splitlines()[1:] == [
        "failed   metric 'good': leaves its inputs untouched",
        "         expected: columns stay as they are, since other metrics read them too",
        "         seen:     it changed 'response'",
        "         to mend:  work on a copy: list(response)",
    ]


def test_columns_of_ones_own_are_used_and_rows_without_a_value_left_out() -> None:
    columns = {"blood_pressure": [120.0, None, 80.0]}
    assert {outcome.status for outcome in check_metric(BAD.ReadsTheUnknown, columns)} == {"passed", "skipped"}


def test_columns_given_without_one_that_is_read_are_asked_for() -> None:
    with pytest.raises(ConformanceError, match="the columns given hold 'input'"):
        check_metric(BAD.Good, {"input": ["a"]})


def test_a_module_that_imports_something_heavy_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
import numpy
from evalharness import metric


@metric(better="higher")
def heavy(response):
    "A share, 0 to 1."
    return 0.5
"""
    (tmp_path / "heavy_metric.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    import heavy_metric  # type: ignore[import-not-found]

    with pytest.raises(ConformanceError, match="'import heavy_metric' imports numpy"):
        check_metric(heavy_metric.heavy)


def test_a_tolerance_widens_what_counts_as_the_same() -> None:
    class Wobbly(BAD.Good):  # type: ignore[misc]
        """Differs a little from batch to batch, as encoders do, 0 to 1."""

        tolerance = 1e-4

        def measure(self, response: list[str]) -> dict[str, Any]:
            found = super().measure(response)
            return {**found, "size": [size + 1e-6 * len(response) for size in found["size"]]}

    failed = [outcome.check for outcome in metric_outcomes(Wobbly()) if outcome.status == "failed"]
    assert failed == ["pickles"]  # a class inside a function never does
