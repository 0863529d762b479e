"""Comparing finished runs: aligned, paired, honest about what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import evalharness as eh
from evalharness.comparison import Line
from evalharness.comparison.values import common
from evalharness.errors import DataError, UsageError
from evalharness.results.values import read_values
from tests.comparison.conftest import SAMPLES, TASK, Make, answers, write_answers, write_task

Runs = dict[str, Path]


def line(a: Path, b: Path, score: str = "exact_match") -> Line:
    return eh.compare(a, b).pairs[0].line(score)


def alone(folder: Path, target: Path) -> Path:
    """Copy a record and its replicates, without the samples."""
    target.mkdir()
    for name in ("record.json", "replicates.npz"):
        shutil.copy(folder / name, target / name)
    return target


def by_group(folder: Path, score: str) -> np.ndarray:
    """Return the sum of a score's per-sample values by topic."""
    values = read_values(folder / "samples.parquet", [score])
    topics = [int(name[1:]) % 60 for name in values.ids]
    return np.bincount(topics, values.by_score[score])


def test_the_difference_is_that_of_a_paired_t_test_over_groups(runs: Runs) -> None:
    found = line(runs["weak"], runs["strong"]).difference
    gaps = by_group(runs["strong"], "exact_match") - by_group(runs["weak"], "exact_match")
    test = stats.ttest_1samp(gaps * 60 / SAMPLES, 0)  # groups are of one size
    assert found.value == pytest.approx(gaps.sum() / SAMPLES)
    assert found.se == pytest.approx(gaps.std(ddof=1) * np.sqrt(60) / SAMPLES, rel=0.06)  # 1,000 draws leave 2.2 %
    assert found.p == pytest.approx(test.pvalue, rel=1, abs=0.001)
    assert (found.groups, found.df) == (60, 59)
    assert found.effect == pytest.approx(found.value / found.se / np.sqrt(60))


def test_turned_round_it_says_the_same(runs: Runs) -> None:
    one, two = line(runs["weak"], runs["strong"]), line(runs["strong"], runs["weak"])
    assert one.difference.value == -two.difference.value
    assert (one.difference.low, one.difference.high) == (-two.difference.high, -two.difference.low)
    assert (one.verdict, two.verdict) == ("better", "worse")
    assert (one.counts.wins, one.counts.losses) == (two.counts.losses, two.counts.wins)


def test_counts_and_changes_come_from_the_samples(runs: Runs) -> None:
    pair = eh.compare(runs["weak"], runs["strong"]).pairs[0]
    a, b = common(*(read_values(runs[name] / "samples.parquet", ["exact_match"]) for name in ("weak", "strong")))
    gaps = b.by_score["exact_match"] - a.by_score["exact_match"]
    counts = pair.line("exact_match").counts
    assert (counts.wins, counts.ties, counts.losses) == ((gaps > 0).sum(), (gaps == 0).sum(), (gaps < 0).sum())
    first = pair.changed["exact_match"][0]
    assert (abs(first.difference), first.b - first.a) == (1.0, first.difference)


def test_two_records_alone_give_the_same_difference(runs: Runs, tmp_path: Path) -> None:
    a, b = alone(runs["weak"], tmp_path / "a"), alone(runs["strong"], tmp_path / "b")
    found = line(a / "record.json", b)
    assert found.difference == line(runs["weak"], runs["strong"]).difference
    assert found.counts is None


def test_holm_is_over_the_scores_and_one_named_score_is_a_family_of_its_own(runs: Runs) -> None:
    every = eh.compare(runs["weak"], runs["strong"]).pairs[0].lines
    smallest = min(each.difference.p for each in every)
    assert min(each.p_adjusted for each in every) == pytest.approx(3 * smallest)
    (only,) = eh.compare(runs["weak"], runs["strong"], scores=["bleu"]).pairs[0].lines
    assert only.p_adjusted == only.difference.p


def test_equal_systems_are_not_told_apart(runs: Runs) -> None:
    assert line(runs["weak"], runs["twin"]).verdict == "not shown"


def test_a_system_differs_from_itself_by_nothing(runs: Runs) -> None:
    found = line(runs["weak"], runs["weak"])
    assert (found.difference.low, found.difference.high, found.difference.p, found.verdict) == (0.0, 0.0, 1.0, "same")


def test_systems_that_agree_everywhere_still_have_a_width(make: Make) -> None:
    found = line(make("agree1", answers(0.5, 2)), make("agree2", {**answers(0.5, 2)}))
    c = stats.t.ppf(0.975, 59) ** 2
    assert found.difference.value == 0.0
    assert found.difference.high == pytest.approx(c / (60 + c))
    assert found.verdict == "same"


def test_another_task_is_refused_and_the_difference_named(make: Make, runs: Runs, tmp_path: Path) -> None:
    other = make("other", answers(0.5, 2), task=write_task(tmp_path, TASK.replace("exact_match, ", "")))
    with pytest.raises(DataError, match=r"different tasks: metrics is .*exact_match"):
        eh.compare(runs["weak"], other)


def test_other_data_are_refused(make: Make, runs: Runs, tmp_path: Path) -> None:
    other = make("fewer", answers(0.5, 2), task=write_task(tmp_path, samples=SAMPLES - 1))
    with pytest.raises(DataError, match="over different data: the digests"):
        eh.compare(runs["weak"], other)


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist\. Give the folder"):
        eh.compare(tmp_path / "none", tmp_path / "none")


def test_an_unknown_score_is_told_with_the_nearest(runs: Runs) -> None:
    with pytest.raises(UsageError, match="Did you mean 'exact_match'"):
        eh.compare(runs["weak"], runs["twin"], scores=["exact_mach"])


def test_systems_of_one_name_get_labels_of_their_own(runs: Runs) -> None:
    labels = [one.label for one in eh.compare(runs["weak"], runs["weak"], runs["twin"]).results]
    assert labels == ["weak #1", "weak #2", "twin"]


def test_lost_samples_are_left_out_of_both(make: Make, runs: Runs) -> None:
    few = {name: text for name, text in answers(0.7, 4).items() if int(name[1:]) >= 40}
    found = line(runs["weak"], make("lossy", few))
    a, b = (
        read_values(runs[name] / "samples.parquet", ["exact_match"]).by_score["exact_match"][40:] for name in ("weak", "strong")
    )
    assert (found.a.samples, found.b.samples) == (200, 200)
    assert found.difference.value == pytest.approx((b - a).mean())
    assert found.notes == ("over different samples (240 and 200); compared over the 200 of both",)
    low, high = found.bounds
    assert low < found.difference.value < high


def test_lost_samples_are_told_where_only_records_are_there(make: Make, runs: Runs, tmp_path: Path) -> None:
    few = {name: text for name, text in answers(0.7, 4).items() if int(name[1:]) >= 40}
    found = line(runs["weak"], alone(make("lossy2", few), tmp_path / "b"))
    assert found.notes == ("over different samples: 240 and 200",)
    assert found.bounds is not None


def test_replicates_of_another_generator_are_not_mixed(runs: Runs, tmp_path: Path) -> None:
    other = alone(runs["strong"], tmp_path / "b")
    record = json.loads((other / "record.json").read_text())
    record["scores"]["exact_match"]["generator"] = "poisson-table/0"
    (other / "record.json").write_text(json.dumps(record))
    found = line(runs["weak"], other)
    assert found.difference.value is not None
    assert found.difference.p is None
    assert "not aligned" in (found.difference.reason or "")
    assert found.verdict == "unknown"


def test_slices_are_scored_by_themselves(runs: Runs) -> None:
    pair = eh.compare(runs["weak"], runs["strong"], by="kind").pairs[0]
    values = [read_values(runs[name] / "samples.parquet", ["bleu", "exact_match"]) for name in ("weak", "strong")]
    even = np.array([int(name[1:]) % 2 == 0 for name in values[0].ids])
    gap = values[1].by_score["exact_match"][even].mean() - values[0].by_score["exact_match"][even].mean()
    found = {each.score: each for each in pair.slices["even"]}
    assert list(pair.slices) == ["even", "odd"]
    assert found["exact_match"].difference.value == pytest.approx(gap)
    assert (found["exact_match"].a.samples, found["exact_match"].difference.groups) == (120, 30)
    assert found["bleu"].difference.p is not None


def test_a_field_of_too_many_values_or_none_is_told(runs: Runs) -> None:
    with pytest.raises(UsageError, match="more than 50 values"):
        eh.compare(runs["weak"], runs["strong"], by="topic")
    with pytest.raises(UsageError, match=r"no sample has the field 'kin'\. Did you mean 'kind'"):
        eh.compare(runs["weak"], runs["strong"], by="kin")


def test_few_groups_get_the_label_swap_test(make: Make, tmp_path: Path) -> None:
    task = write_task(tmp_path, TASK.replace("name: sums", "name: few"), samples=48, topics=8)
    a, b = (make(name, answers(*given, samples=48), task=task) for name, given in (("few1", (0.4, 2)), ("few2", (0.7, 4))))
    lines = {each.score: each for each in eh.compare(a, b).pairs[0].lines}
    gaps = np.zeros(8)
    one, two = (read_values(folder / "samples.parquet", ["exact_match"]) for folder in (a, b))
    np.add.at(gaps, [int(name[1:]) % 8 for name in one.ids], two.by_score["exact_match"] - one.by_score["exact_match"])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1)
    assert lines["exact_match"].exact_p == pytest.approx(np.mean(np.abs(gaps @ signs) >= abs(gaps.sum()) - 1e-9))
    assert 0 < lines["bleu"].exact_p < 1


def test_few_groups_without_samples_say_what_the_exact_test_needs(make: Make, tmp_path: Path) -> None:
    task = write_task(tmp_path, TASK.replace("name: sums", "name: few"), samples=48, topics=8)
    a, b = (make(name, answers(*given, samples=48), task=task) for name, given in (("few3", (0.4, 2)), ("few4", (0.7, 4))))
    found = line(alone(a, tmp_path / "a"), alone(b, tmp_path / "b"))
    assert any("needs the whole run folders of both" in note for note in found.notes)


def test_many_systems_are_ranked_with_sets_and_letters(runs: Runs) -> None:
    comparison = eh.compare(*(runs[name] for name in ("weak", "strong", "twin", "lame")))
    standing = next(one for one in comparison.standings if one.score == "exact_match")
    assert standing.ranks == ((2, 3), (1, 1), (2, 3), (4, 4))
    assert standing.letters == ("b", "a", "b", "c")
    assert len(comparison.pairs) == 6


def test_another_system_changes_no_pair(runs: Runs) -> None:
    two = eh.compare(runs["weak"], runs["strong"]).pairs[0]
    four = eh.compare(*(runs[name] for name in ("lame", "weak", "twin", "strong"))).pair("weak", "strong")
    assert two.lines == four.lines


def test_a_system_without_a_value_is_left_out_of_the_ranking_with_the_reason(runs: Runs, tmp_path: Path) -> None:
    other = alone(runs["twin"], tmp_path / "b")
    record = json.loads((other / "record.json").read_text())
    record["scores"]["exact_match"] |= {"value": None, "low": None, "high": None, "reason": "nothing was measured"}
    (other / "record.json").write_text(json.dumps(record))
    standing = eh.compare(runs["weak"], other, runs["strong"]).standings[0]
    assert standing.systems == ("weak", "strong")
    assert standing.left_out == {"twin": "no value: nothing was measured"}


def test_a_comparison_is_plain(runs: Runs) -> None:
    plain = eh.compare(runs["weak"], runs["strong"], by="kind").plain()
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again["pairs"][0]["lines"][0]["difference"]["p"] == plain["pairs"][0]["lines"][0]["difference"]["p"]


def test_a_run_that_was_stopped_early_is_told(make: Make, runs: Runs, tmp_path: Path) -> None:
    task = write_task(tmp_path)
    responses = write_answers(tmp_path / "all.jsonl", dict.fromkeys(answers(1.0, 2), "no such thing"))
    stopped = eh.run(task, responses=responses, out=tmp_path / "stopped", store=tmp_path / "store", until="exact_match ±0.2")
    assert stopped.stopping["samples"] < SAMPLES
    found = line(runs["weak"], tmp_path / "stopped")
    assert any(note.startswith("all was stopped early") for note in found.notes)


def test_a_run_that_was_stopped_by_this_very_comparison_is_judged_by_its_sequence(runs: Runs, tmp_path: Path) -> None:
    task = write_task(tmp_path)
    responses = write_answers(tmp_path / "decided.jsonl", dict.fromkeys(answers(1.0, 2), "no such thing"))
    record = eh.run(
        task,
        responses=responses,
        out=tmp_path / "decided",
        store=tmp_path / "store",
        until_decided=f"{runs['strong']} on exact_match",
    )
    low, high = record.stopping["difference"]["interval"]
    assert record.stopping["reached"]
    assert record.stopping["samples"] < SAMPLES
    ahead, behind = line(runs["strong"], tmp_path / "decided"), line(tmp_path / "decided", runs["strong"])
    assert (ahead.difference.low, ahead.difference.high, ahead.difference.p) == (low, high, None)
    assert (behind.difference.low, behind.difference.high) == (-high, -low)
    assert (ahead.verdict, behind.verdict) == ("worse", "better")
    assert any("confidence sequence by which decided was stopped" in note for note in ahead.notes)
