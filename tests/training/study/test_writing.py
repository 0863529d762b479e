"""The document of a study: what made it, tables that agree with the records, pictures beside it, the same bytes each time."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.errors import DataError
from evalharness.results import read_record
from evalharness.results.wording import number
from evalharness.training.study import write_study

Made = tuple[Path, Path]


def written(made: Made, folder: Path) -> str:
    task, runs = made
    return write_study(task, runs=runs, out=folder / "study.md").read_text(encoding="utf-8")


def rows(text: str, title: str) -> dict[str, list[str]]:
    """Return the rows of the first table whose head starts with a title, by their first cell."""
    _, _, rest = text.partition(f"| {title}")
    lines = rest.split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def pictures(text: str, folder: Path) -> list[str]:
    found = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in found)
    return found


def test_the_first_lines_name_the_commands_that_made_it(plain: Made, tmp_path: Path) -> None:
    head = written(plain, tmp_path).split("\n\n")
    assert head[0] == "# Outliers"
    assert f"`evalharness study {plain[0]} --runs {plain[1]} --out {tmp_path / 'study.md'}`" in head[1]
    assert "`evalharness run task.yaml`" in head[1]
    assert "3 arms, 3 seeds each, 20 steps" in head[3]


def test_its_tables_hold_the_values_and_the_differences_to_the_first_arm(plain: Made, tmp_path: Path) -> None:
    table = rows(written(plain, tmp_path), "mae ↓")
    assert list(table) == ["mse", "mae", "huber"]
    for arm, cells in table.items():
        value = read_record(plain[1] / arm).scores["mae"].value
        assert cells[0].startswith(f"{number(value)} (")
    assert table["mse"][1] == "–"
    line = eh.compare(plain[1] / "mse", plain[1] / "huber").pairs[0].line("mae").difference
    assert number(line.low) in table["huber"][1]
    assert re.search("(better|worse|no difference shown)$", table["huber"][1])


def test_words_hold_for_all_differences_at_once(plain: Made, tmp_path: Path) -> None:
    text = written(plain, tmp_path)
    pairs = [eh.compare(plain[1] / "mse", plain[1] / arm).pairs[0] for arm in ("mae", "huber")]
    weak = [line for pair in pairs for line in pair.lines if line.difference.p is not None and line.difference.p > 0.05]
    assert text.count("no difference shown |") >= len(weak)


def test_pictures_stand_in_a_folder_of_its_name(plain: Made, tmp_path: Path) -> None:
    assert pictures(written(plain, tmp_path), tmp_path) == ["study/differences.png", "study/training.png"]


def test_of_a_varied_number_it_shows_curves_break_points_and_ranks(varied: Made, tmp_path: Path) -> None:
    text = written(varied, tmp_path)
    assert pictures(text, tmp_path) == ["study/mae.png", "study/rmse.png"]
    assert "8 tasks, 2 arms" in text
    assert list(rows(text, "arm | both | one")) == ["mse", "mae"]
    assert text.count("Mean rank over the data sets") == 4
    for word in ("### mae: both", "### rmse: one", "in units of that of `mse`"):
        assert word in text


def test_what_varies_and_is_no_number_makes_a_part_each(twice: Made, tmp_path: Path) -> None:
    text = written(twice, tmp_path)
    assert [line for line in text.splitlines() if line.startswith("### ")] == ["### both", "### one"]
    names = [f"study/{name}-{side}.png" for name in ("differences", "training") for side in ("both", "one")]
    assert pictures(text, tmp_path) == names
    assert "- one, **rmse** beside `mse`: " in text


def test_the_same_runs_give_the_same_bytes(varied: Made, tmp_path: Path) -> None:
    first, png = written(varied, tmp_path), (tmp_path / "study" / "mae.png").read_bytes()
    assert written(varied, tmp_path) == first
    assert (tmp_path / "study" / "mae.png").read_bytes() == png


def test_what_was_not_run_is_named(plain: Made, tmp_path: Path) -> None:
    task, runs = plain
    shutil.copytree(runs, tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "huber")
    more = tmp_path / "task.yaml"
    more.write_text(task.read_text(encoding="utf-8").replace("[0, 1, 2]", "[0, 1, 2, 3]"), encoding="utf-8")
    text = written((more, tmp_path / "runs"), tmp_path)
    assert "**Not all was run**: missing are mse seed 3, mae seed 3, huber." in text
    assert list(rows(text, "mae ↓")) == ["mse", "mae"]


def test_runs_of_another_version_and_no_runs_are_refused(plain: Made, tmp_path: Path) -> None:
    task, runs = plain
    with pytest.raises(DataError, match=r"holds no finished arm .* evalharness run"):
        write_study(task, runs=tmp_path, out=tmp_path / "study.md")
    other = tmp_path / "task.yaml"
    for was, now, told in [
        ("[mae, rmse]", "[mae]", "the task is another one"),
        ("steps: 20", "steps: 30", "trainer.steps was 20 and is 30"),
        ("mse: mse", "mse: mae", "loss was 'mse' and is 'mae'"),
    ]:
        other.write_text(task.read_text(encoding="utf-8").replace(was, now), encoding="utf-8")
        with pytest.raises(DataError, match=f"runs/mse is not what .* says now: {told}. Run it again"):
            write_study(other, runs=runs, out=tmp_path / "study.md")


def test_the_command_prints_where_it_is(plain: Made, tmp_path: Path) -> None:
    task, runs = plain
    arguments = ["study", str(task), "--runs", str(runs), "--out", str(tmp_path / "s.md"), "--json"]
    found = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert json.loads(found.output) == {"path": str(tmp_path / "s.md")}
    assert (tmp_path / "s" / "training.png").is_file()
