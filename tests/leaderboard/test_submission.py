"""Adding a run to a board: what is taken, what is refused, and that every reason is told."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
import pytest
from pyarrow import parquet

import evalharness as eh
from evalharness import registry
from evalharness.errors import FaultsFound
from evalharness.leaderboard import read_board, standings
from evalharness.leaderboard.board import TEXTS_LEFT_OUT
from evalharness.leaderboard.submission import Refused, add
from evalharness.leaderboard.texts import holds_texts, write_without_texts
from evalharness.results import Record, read_record
from evalharness.results.replicates import read_replicates, write_replicates
from evalharness.running import rescore
from evalharness.running.parts import build_chain
from evalharness.running.rescoring import _Again
from evalharness.task import load_task
from tests.leaderboard.conftest import BOARD, TASK, answers, run, write_board, write_task


def refused(board: Path, path: Path) -> tuple[str, ...]:
    with pytest.raises(Refused) as found:
        add(board, path)
    assert not list((board / "records").rglob(f"{path.name}/record.json"))
    return found.value.reasons


@pytest.fixture
def copy(tmp_path: Path, runs: dict[str, Path]) -> Path:
    """Give a copy of a run, to be spoiled."""
    return Path(shutil.copytree(runs["weak"], tmp_path / "weak"))


def change_record(folder: Path, change: Callable[[Record], Record]) -> None:
    (folder / "record.json").write_text(change(read_record(folder)).to_json(), encoding="utf-8")


def change_samples(folder: Path, change: Callable[[pyarrow.Table], pyarrow.Table]) -> None:
    path = folder / "samples.parquet"
    parquet.write_table(change(parquet.read_table(path)), path)


def test_a_run_is_copied_whole_and_says_nothing_of_its_makers_machine(empty: Path, runs: dict[str, Path]) -> None:
    found = add(empty, runs["weak"])
    assert (found.system, found.folder, found.replaced, found.notes) == ("weak", empty / "records" / "weak", False, ())
    assert sorted(path.name for path in found.folder.iterdir()) == [
        "record.json", "replicates.npz", "samples.parquet", "task.yaml",
    ]  # fmt: skip
    own, kept = read_record(runs["weak"]), read_record(found.folder)
    assert dataclasses.replace(own, provenance={}) == dataclasses.replace(kept, provenance={})
    assert kept.provenance["folder"] == "weak"
    assert [system.name for system in read_board(empty).systems] == ["weak"]
    assert read_board(empty).systems[0].baseline


def test_the_same_system_replaces_its_record_and_another_of_its_name_is_refused(
    empty: Path, runs: dict[str, Path], copy: Path
) -> None:
    add(empty, runs["weak"])
    assert add(empty, runs["weak"]).replaced
    other = {"name": "weak", "digest": "0" * 32}
    change_record(copy, lambda record: dataclasses.replace(record, system={**record.system, **other}))
    with pytest.raises(Refused, match="the board has another system of the name 'weak'"):
        add(empty, copy)
    assert [path.name for path in (empty / "records").iterdir()] == ["weak"]


def test_two_names_that_give_one_folder_are_refused(empty: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    add(empty, runs["weak"])
    task = write_task(tmp_path / "tasks")
    shouted = run(task, "WEAK", answers(0.5, 1), tmp_path / "shouted")
    with pytest.raises(Refused, match="the name 'WEAK' gives the folder 'weak', which 'weak' has"):
        add(empty, shouted)


def test_without_texts_statistics_remain_that_give_the_scores_again(empty: Path, runs: dict[str, Path]) -> None:
    found = add(empty, runs["strong"], texts=False)
    assert found.notes == ("texts are left out: its scores are recomputed from statistics only",)
    samples = found.folder / "samples.parquet"
    assert not holds_texts(samples)
    assert holds_texts(runs["strong"] / "samples.parquet")
    assert b"the sum is" not in samples.read_bytes()
    table = parquet.read_table(samples)
    assert table.column("id").null_count == table.column("group").null_count == table.column("scores").null_count == 0
    assert rescore(found.folder, statistics_only=True).agrees
    assert not read_board(empty).systems[0].submissions["sums"].has_texts


def test_a_record_that_only_claims_to_be_without_texts_is_refused(empty: Path, copy: Path) -> None:
    change_record(copy, lambda record: dataclasses.replace(record, provenance={**record.provenance, "texts_left_out": True}))
    assert refused(empty, copy) == (
        "it says that texts were left out (texts_left_out in its provenance), but its samples hold some",
    )


def test_a_board_may_forbid_texts(tmp_path: Path, runs: dict[str, Path]) -> None:
    board = write_board(tmp_path / "board", BOARD + "texts: false\n")
    assert not holds_texts(add(board, runs["weak"]).folder / "samples.parquet")


def test_a_record_without_texts_can_be_added_to_another_board(empty: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    kept = add(empty, runs["strong"], texts=False).folder
    other = write_board(tmp_path / "other")
    assert add(other, kept).notes == ("texts are left out: its scores are recomputed from statistics only",)


def test_another_task_is_named_and_what_differs_in_it(empty: Path, tmp_path: Path) -> None:
    task = write_task(tmp_path / "tasks", TASK.replace("group: topic\n", "").replace(", bleu]", ", rouge]"))
    reasons = refused(empty, run(task, "other", answers(0.5, 1), tmp_path / "other"))
    assert reasons[0] == "it was made with another version of the task"
    assert reasons[1].startswith("its task differs from the board's in group, metrics[2]; run the board's task file ")
    strange = write_task(tmp_path / "strange", TASK.replace("name: sums", "name: products"))
    assert refused(empty, run(strange, "strange", answers(0.5, 1), tmp_path / "strange-run")) == (
        "its task is 'products', which the board does not have. It has: sums.",
    )


def test_a_task_that_only_claims_to_be_the_boards_is_refused_and_not_run(empty: Path, copy: Path) -> None:
    task = copy / "task.yaml"
    task.write_text(task.read_text(encoding="utf-8").replace("- bleu\n", "- rouge\n"), encoding="utf-8")
    (reason,) = refused(empty, copy)
    assert reason.startswith("its task differs from the board's in metrics[2]; run the board's task file ")


def test_other_data_and_a_part_of_the_data_are_refused(empty: Path, tmp_path: Path) -> None:
    task = write_task(tmp_path / "tasks")
    part = run(task, "part", answers(0.5, 1), tmp_path / "part", limit=80)
    reasons = refused(empty, part)
    assert "it covers only the first 80 samples (--limit)" in reasons
    assert "10 of 90 samples are not in it: q080, q081, q082, q083, q084 and 5 more" in reasons
    questions = tmp_path / "tasks" / "questions.jsonl"
    questions.write_text(questions.read_text().replace("the sum is 5", "five"))
    reasons = refused(empty, run(task, "eased", answers(0.5, 1), tmp_path / "eased"))
    assert reasons[0].startswith("its data have the digest ")
    assert reasons[1] == "groups or fields of 11 samples are not those of the data: q004, q049, q050, q051, q052 and 6 more"


def test_scores_that_do_not_follow_from_the_samples_are_refused(empty: Path, copy: Path) -> None:
    def better(record: Record) -> Record:
        score = dataclasses.replace(record.scores["token_f1"], value=0.99)
        return dataclasses.replace(record, scores={**record.scores, "token_f1": score})

    change_record(copy, better)
    replicates = read_replicates(copy / "replicates.npz")
    write_replicates(copy / "replicates.npz", {**replicates, "bleu": replicates["bleu"] + np.float32(1)})
    reasons = refused(empty, copy)
    assert len(reasons) == 2
    assert reasons[0].startswith("token_f1: value is 0.99 in the record, ")
    assert reasons[1] == "bleu: replicates is 'stored' in the record, 'different' recomputed"


def test_references_that_were_made_easier_are_refused(empty: Path, copy: Path) -> None:
    def eased(table: pyarrow.Table) -> pyarrow.Table:
        fields = [text.replace("the sum is 2", "a sum of sorts") for text in table.column("fields").to_pylist()]
        return table.set_column(table.schema.get_field_index("fields"), table.schema.field("fields"), pyarrow.array(fields))

    change_samples(copy, eased)
    assert refused(empty, copy)[0].startswith("groups or fields of 11 samples are not those of the data: q001, ")


def test_samples_that_were_left_out_or_added_are_refused(empty: Path, copy: Path) -> None:
    change_samples(copy, lambda table: table.slice(2))
    reasons = refused(empty, copy)
    assert "2 of 90 samples are not in it: q000, q001" in reasons
    assert "dataset: samples is 90 in the record, 88 recomputed" in reasons


def rescored(folder: Path) -> None:
    """Make the record follow from its samples, as a forger would."""
    record = read_record(folder)
    task = load_task(folder / "task.yaml")
    again = _Again(task, build_chain(task, registry.installed()), record)
    again.add_samples(folder / "samples.parquet")
    finished = [one for _, one in again.scoring.finish(seed=again.seed, clustered=task.group is not None)]
    scores = {name: score for one in finished for name, score in one.scores.items()}
    change_record(folder, lambda _: dataclasses.replace(record, scores=scores))
    write_replicates(folder / "replicates.npz", {name: draws for one in finished for name, draws in one.replicates.items()})


def doubled(table: pyarrow.Table) -> pyarrow.Table:
    """Return the samples with those that are right told once more, as a second repeat."""
    right = table.filter(pyarrow.compute.equal(table.column("scores").combine_chunks().field("exact_match"), 1.0))
    ones = pyarrow.array([1] * len(right), table.schema.field("repeat").type)
    return pyarrow.concat_tables([table, right.set_column(table.schema.get_field_index("repeat"), "repeat", ones)])


def test_a_record_that_tells_its_right_samples_twice_is_refused_though_its_scores_follow(
    empty: Path, copy: Path, tmp_path: Path
) -> None:
    honest = read_record(copy).scores["exact_match"].value
    change_samples(copy, doubled)
    rescored(copy)
    assert read_record(copy).scores["exact_match"].value > honest + 0.1
    assert rescore(copy).agrees
    (reason,) = refused(empty, copy)
    assert re.match(r"\d+ samples are not in it once each \(repeats: 1 in its task\): q\d+, ", reason)
    without = add_without_texts(copy, tmp_path)
    assert "are not in it once each" in refused(empty, without)[0]


def add_without_texts(run: Path, folder: Path) -> Path:
    """Return a copy of a run that says that its texts were left out."""
    copied = Path(shutil.copytree(run, folder / "texts-left-out"))
    write_without_texts(run / "samples.parquet", copied / "samples.parquet")
    change_record(copied, lambda record: dataclasses.replace(record, provenance={**record.provenance, TEXTS_LEFT_OUT: True}))
    return copied


def test_each_sample_must_be_there_as_often_as_the_task_asks(empty: Path, tmp_path: Path) -> None:
    task, path = write_task(tmp_path / "tasks"), tmp_path / "repeated"
    eh.run(task, overrides=["repeats=3", "system.name=repeated"], out=path, store=tmp_path / "store.sqlite")
    change_samples(path, lambda table: table.slice(1))
    assert "1 samples are not in it 3 times each, as repeats 0 to 2 (repeats: 3 in its task): q000" in refused(empty, path)
    (path / "task.yaml").write_text((path / "task.yaml").read_text().replace("repeats: 3", "repeats: 1"))
    assert any(reason.startswith("90 samples are not in it once each") for reason in refused(empty, path))


def test_easier_references_in_one_of_several_repeats_are_refused(empty: Path, tmp_path: Path) -> None:
    task, path = write_task(tmp_path / "tasks"), tmp_path / "repeated"
    eh.run(task, overrides=["repeats=2", "system.name=repeated"], out=path, store=tmp_path / "store.sqlite")

    def eased(table: pyarrow.Table) -> pyarrow.Table:
        rows = zip(table.column("fields").to_pylist(), table.column("repeat").to_pylist(), strict=True)
        fields = [text if repeat else text.replace("the sum is", "a sum of") for text, repeat in rows]
        return table.set_column(table.schema.get_field_index("fields"), table.schema.field("fields"), pyarrow.array(fields))

    change_samples(path, eased)
    assert refused(empty, path)[0].startswith("groups or fields of 90 samples are not those of the data: q000, ")


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("exact_match ±0.2", r"it was stopped early, after \d\d of 90 samples"),
        (
            "exact_match ±0.01",
            "its interval is that of a confidence sequence; run it again without --until: nothing is asked again",
        ),
    ],
)
def test_a_run_with_a_goal_is_refused_for_what_it_did(tmp_path: Path, goal: str, said: str) -> None:
    single = TASK.replace("group: topic\n", "")
    board = write_board(tmp_path / "board", task=single)
    found = run(write_task(tmp_path / "tasks", single), "sequential", answers(0.5, 1), tmp_path / "sequential", until=goal)
    assert re.fullmatch(said, refused(board, found)[0])


def test_missing_and_damaged_files_are_told(empty: Path, copy: Path) -> None:
    (copy / "replicates.npz").unlink()
    assert "it has no replicates.npz" in refused(empty, copy)
    (copy / "samples.parquet").write_bytes(b"no parquet")
    assert any("samples.parquet cannot be read" in reason for reason in refused(empty, copy))


def test_what_is_no_run_at_all_is_refused(empty: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"it has no record\.json"):
        add(empty, tmp_path)
    (tmp_path / "record.json").write_text(json.dumps({"schema": "other/1"}))
    with pytest.raises(Refused, match=r"is not a record of the schema evalharness\.record/1"):
        add(empty, tmp_path)


def test_a_system_that_was_asked_several_times_stands_beside_one_that_was_asked_once(board: Path, tmp_path: Path) -> None:
    task = write_task(tmp_path / "tasks")
    path = tmp_path / "repeated"
    eh.run(task, overrides=["repeats=3", "system.name=repeated"], out=path, store=tmp_path / "store.sqlite")
    assert add(board, path).notes == ()
    row = next(row for row in standings(read_board(board)).rows if row.system == "repeated")
    assert (row.rank_low, row.rank_high, row.coverage, row.marks) == (5, 5, 1.0, ())


def test_errors_are_told_when_a_run_is_added(empty: Path, tmp_path: Path) -> None:
    task = write_task(tmp_path / "tasks")
    given = {name: text for name, text in answers(0.5, 1).items() if name not in ("q003", "q004")}
    found = add(empty, run(task, "gaps", given, tmp_path / "gaps"))
    assert found.notes
    assert found.notes[0].startswith("2 samples were lost to errors (")


def test_a_hostile_name_in_a_record_reaches_no_folder(empty: Path, copy: Path) -> None:
    change_record(copy, lambda record: dataclasses.replace(record, system={**record.system, "name": "../../weak"}))
    reasons = refused(empty, copy)
    assert "system: name is '../../weak' in the record, 'weak' recomputed" in reasons


def test_a_board_with_a_broken_record_takes_nothing_until_it_is_mended(board: Path, runs: dict[str, Path]) -> None:
    (board / "records" / "lame" / "record.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FaultsFound, match=r"records/lame/record\.json: cannot be used"):
        add(board, runs["weak"])
