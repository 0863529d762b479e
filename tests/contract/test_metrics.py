"""The metric contract: what a class states, what the decorator makes of a function, what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from evalharness import Metric, Response, Rows, Unmeasured, metric, pooled_metric
from evalharness.contract.metrics import RESERVED


class Edits(Metric):
    """Edits per word, 0 or more."""

    name, better, unit, range = "edits", "lower", "edits/word", (0, None)
    order: int = 2
    words: tuple[str, ...] = ("a", "b")

    def measure(self, response: Any, references: Any, answers: Any, batch: Any, values: Any) -> dict[str, list[float]]:
        return {"edits": [1.0 for _ in response]}


@metric(better="lower", unit="characters", range=(0, None), cite="somewhere")
def length(response: str, references: list[str], *, least: int = 0, cut: float | None = None) -> float | Unmeasured:
    """Characters of the response, 0 or more.

    More words.
    """
    return Unmeasured("too short") if len(response) < least else float(len(response))


def test_fields_are_the_parameters_of_measure_without_the_reserved_ones() -> None:
    assert Edits.reads == ("response", "references")
    assert not set(Edits.reads) & set(RESERVED)


def test_reads_can_be_stated_and_are_inherited() -> None:
    class Stated(Edits):
        reads = ("input",)

        def measure(self, **columns: Any) -> Any:
            return columns

    class Child(Edits):
        pass

    assert (Stated.reads, Child.reads) == (("input",), Edits.reads)


def test_options_are_fields_with_repr_equality_hash_and_signature() -> None:
    assert Edits(order=3) == Edits(order=3) != Edits()
    assert len({Edits(), Edits(), Edits(order=1)}) == 2
    assert Edits().signature() == "edits|order:2|words:a,b"
    assert Edits().options() == {"order": 2, "words": ("a", "b")}
    with pytest.raises(TypeError):
        Edits(3)  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Edits().order = 3  # type: ignore[misc]


def test_direction_has_no_default() -> None:
    assert not hasattr(Metric, "better")


@pytest.mark.parametrize(
    ("better", "bounds", "worst"),
    [("higher", (0, 1), 0), ("lower", (0, 1), 1), ("lower", (0, None), None), ("higher", (0, None), 0), ("higher", None, None)],
)
def test_the_bad_end_of_the_range(better: Any, bounds: Any, worst: float | None) -> None:
    assert type("Some", (Metric,), {"name": "some", "better": better, "range": bounds})().worst == worst


def test_a_metric_without_score_is_a_mean_and_one_without_ask_asks_nothing() -> None:
    class Scored(Edits):
        def score(self, edits: Any) -> Any:
            return edits

        def ask(self, answers: Any, **columns: Any) -> Any:
            return [[] for _ in answers]

    assert (Edits().is_mean, Edits().asks) == (True, False)
    assert (Scored().is_mean, Scored().asks) == (False, True)
    assert Edits().ask(answers=[[], [Response(text="a")]]) == [[], []]


def test_the_default_score_is_the_mean_of_each_part() -> None:
    parted = type("Parted", (Edits,), {"parts": (".a", ".b")})()
    assert parted.score(**{".a": 3.0, ".a.count": 2.0, ".b": 1.0, ".b.count": 4.0}) == {".a": 1.5, ".b": 0.25}
    assert Edits().score(**{"edits": 3.0, "edits.count": 2.0}) == 1.5


def test_a_decorated_function_is_a_metric() -> None:
    made = length(least=3)
    assert (length.name, length.better, length.unit, length.range, length.cite) == (
        "length",
        "lower",
        "characters",
        (0, None),
        "somewhere",
    )
    assert length.reads == ("response", "references")
    assert (length.__doc__ or "").startswith("Characters of the response")
    assert made.signature() == "length|least:3|cut:null"
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_decorated_function_is_called_with_each_row_and_the_options() -> None:
    rows = length(least=2).measure(response=["abc", "d"], references=[[], []])
    assert isinstance(rows, Rows)
    assert rows.unmeasured == {1: "too short"}
    assert rows.statistics["value"][0] == 3.0


def test_a_decorated_function_refuses_columns_of_unequal_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        length().measure(response=["a", "b"], references=[[]])


def no_type(response: str, *, least=0):  # type: ignore[no-untyped-def]
    """Nothing."""


def no_default(response: str, *, least: int) -> None:
    """Nothing."""


def default_field(response: str, slack: float = 1.5) -> None:
    """Nothing."""


def any_field(**columns: Any) -> None:
    """Nothing."""


def all_fields(*columns: Any) -> None:
    """Nothing."""


def no_field(*, least: int = 0) -> None:
    """Nothing."""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_type, "option 'least' of no_type needs a type and a default"),
        (no_default, "option 'least' of no_default needs a type and a default"),
        (default_field, r"'slack' of default_field has a default, as an option does; write '\*, ' before the options"),
        (any_field, r"any_field takes '\*columns'; every field that it reads must be named"),
        (all_fields, r"all_fields takes '\*columns'"),
        (no_field, "no_field reads no field"),
    ],
)
def test_functions_that_are_no_metric_are_refused(function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        metric(better="higher")(function)


def test_a_function_of_all_rows_becomes_a_metric_that_heeds_weights():
    @pooled_metric(better="higher", range=None, replicates=50)
    def middle(prediction, *, weights, share: float = 0.5):
        "Quantile of the predictions, in their unit."
        return np.quantile(np.repeat(prediction, weights), share)

    assert (middle.pool, middle.reads, middle.replicates) == ("rows", ("prediction",), 50)
    assert middle(share=0.25).signature() == "middle|share:0.25"
    found = middle().evaluate(prediction=[1.0, 2.0, 5.0, 7.0, 9.0, float("nan")])
    assert (found.scores["middle"].value, found.scores["middle"].replicates) == (5.0, 50)
    assert found.statuses[-1] == "not a number"


def test_a_function_of_all_rows_names_fields():
    with pytest.raises(TypeError, match="reads no field"):

        @pooled_metric(better="higher")
        def nothing(*, weights):
            "Nothing."
