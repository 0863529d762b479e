"""Comparing arms: the part of the samples, the part of the seeds, and the wider one decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.comparison import Line, summaries
from evalharness.comparison.gates import not_worse
from evalharness.comparison.words import notes_of, verdict
from tests.training.conftest import Arm
from tests.training.conftest import arm as arm  # the fixture

Arms = dict[str, Path]


@pytest.fixture(scope="session")
def arms(arm: Arm) -> Arms:
    """Give arms: `restless` whose seeds go far apart, `steady` and `good` whose seeds do not."""
    return {
        "steady": arm("steady", [0.5, 0.5, 0.5]),
        "good": arm("good", [0.8, 0.8, 0.8]),
        "restless": arm("restless", [0.2, 0.8, 0.6]),
        "other": arm("other", [0.5, 0.5], seeds=[7, 8]),
        "partly": arm("partly", [0.5, 0.6, 0.6], seeds=[1, 2, 3]),
        "single": arm("single", [0.5]),
        "lonely": arm("lonely", [0.6]),
    }


def line(a: Path, b: Path, score: str = "exact_match") -> Line:
    return eh.compare(a, b).pairs[0].line(score)


def by_seed(folder: Path, score: str = "exact_match") -> np.ndarray:
    return np.array(json.loads((folder / "record.json").read_text(encoding="utf-8"))["seeds"]["scores"][score])


def test_the_seed_part_is_a_paired_t_interval_over_the_seeds(arms: Arms) -> None:
    found = line(arms["steady"], arms["restless"])
    gaps = by_seed(arms["restless"]) - by_seed(arms["steady"])
    low, high = stats.t.interval(0.95, 2, gaps.mean(), stats.sem(gaps))
    assert found.seeds is not None
    assert found.seeds.differences == pytest.approx(gaps)
    assert found.seeds.seed.value == pytest.approx(gaps.mean()) == found.difference.value
    assert (found.seeds.seed.low, found.seeds.seed.high) == pytest.approx((max(low, -1), min(high, 1)))
    assert found.seeds.seed.p == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)


def test_the_wider_part_is_shown_and_decides(arms: Arms) -> None:
    found = line(arms["steady"], arms["restless"])
    assert found.seeds is not None
    assert found.seeds.wider == "seed"
    assert (found.difference.low, found.difference.p) == (found.seeds.seed.low, found.seeds.seed.p)
    assert found.verdict == "not shown"
    assert "more seeds would detect" in verdict(found, "b")


def test_where_seeds_agree_the_samples_decide(arms: Arms) -> None:
    found = line(arms["steady"], arms["good"])
    assert found.seeds is not None
    assert (found.seeds.wider, found.difference) == ("sample", found.seeds.sample)
    assert found.verdict == "better"


def test_the_part_of_the_samples_is_that_of_the_mean_over_the_seeds(arms: Arms) -> None:
    found = line(arms["steady"], arms["good"]).seeds
    singles = [line(arms["steady"] / f"seed{number}", arms["good"] / f"seed{number}").difference for number in range(3)]
    assert found is not None
    assert found.sample.value == pytest.approx(np.mean([one.value for one in singles]))
    assert found.sample.se <= max(one.se for one in singles)


def test_both_parts_are_told(arms: Arms) -> None:
    (note,) = [note for note in notes_of(line(arms["steady"], arms["restless"])) if "seeds" in note]
    assert note.startswith("the samples leave ")
    assert "the 3 seeds " in note
    assert note.endswith("shown is the wider, of the seeds")


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        ("steady", "other", r"share no two seeds \(0, 1, 2 and 7, 8\)"),
        ("single", "lonely", r"both have one seed only \(0\)"),
        ("steady", "single", r"share no two seeds \(0, 1, 2 and 0\)"),
    ],
)
def test_arms_that_cannot_be_paired_by_seed_say_so(arms: Arms, a: str, b: str, told: str) -> None:
    found = line(arms[a], arms[b])
    assert found.seeds is not None
    assert (found.seeds.wider, found.difference) == ("sample", found.seeds.sample)
    assert [note for note in notes_of(found) if note.startswith("the interval is of the samples alone")]
    with pytest.raises(AssertionError, match=told):
        raise AssertionError("; ".join(notes_of(found)))


def test_an_arm_and_a_run_without_seeds_say_so(arms: Arms) -> None:
    found = line(arms["steady"], arms["good"] / "seed0")
    assert any("good has no seeds" in note for note in notes_of(found))


def test_the_seeds_that_both_have_are_paired(arms: Arms) -> None:
    found = line(arms["steady"], arms["partly"]).seeds
    assert found is not None
    assert found.seeds == (1, 2)
    assert found.seed.groups == 2


def test_an_arm_differs_from_itself_by_nothing(arms: Arms) -> None:
    found = line(arms["restless"], arms["restless"])
    assert (found.verdict, found.difference.low, found.difference.high) == ("same", 0.0, 0.0)


def test_turned_round_it_says_the_same(arms: Arms) -> None:
    one, two = line(arms["steady"], arms["restless"]), line(arms["restless"], arms["steady"])
    assert (one.difference.low, one.difference.high) == pytest.approx((-two.difference.high, -two.difference.low))


def test_ranks_say_that_they_leave_the_seeds_out(arms: Arms) -> None:
    found = eh.compare(arms["steady"], arms["good"], arms["restless"])
    assert all(any("not for the seeds" in note for note in one.notes) for one in found.standings)


def test_gates_look_at_the_wider_interval(arms: Arms) -> None:
    found = eh.compare(arms["steady"], arms["restless"], scores=["exact_match"])
    (gate,) = not_worse(found, "exact_match", 30)
    sample = found.pairs[0].lines[0].seeds.sample
    assert not gate.passed
    assert sample.low > -0.3


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


def test_the_command_states_both_parts_in_text_json_and_markdown(arms: Arms, tmp_path: Path) -> None:
    folders = arms["steady"], arms["restless"]
    text = run("compare", *folders).output
    assert "shown is the wider, of the seeds" in " ".join(text.split())
    found = json.loads(run("compare", *folders, "--json").output)["pairs"][0]["lines"][0]["seeds"]
    assert (found["wider"], found["seeds"], len(found["differences"])) == ("seed", [0, 1, 2], 3)
    assert found["sample"]["low"] > found["seed"]["low"]
    written = summaries.markdown(eh.compare(*folders), [])
    assert "shown is the wider, of the seeds" in written


def test_slices_of_arms_say_that_they_are_of_the_samples(arms: Arms) -> None:
    text = run("compare", arms["steady"], arms["good"], "--by", "kind").output
    assert "the samples' part of the interval only" in " ".join(text.split())
