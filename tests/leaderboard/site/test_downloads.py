"""The table to take away, read back."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from evalharness.leaderboard import Board
from evalharness.leaderboard.columns import RankRule
from evalharness.leaderboard.site.downloads import as_csv, as_json, as_latex, as_markdown, no_formula
from evalharness.leaderboard.site.plan import Plan, value_title
from evalharness.leaderboard.standing import standings
from tests.leaderboard.site.boards import HOSTILE, SHARES


def text(site: Path, name: str) -> str:
    return (site / "downloads" / name).read_text(encoding="utf-8")


def test_the_csv_has_every_number_unrounded(site: Path, mills: Board) -> None:
    rows = {row["system"]: row for row in csv.DictReader(text(site, "table.csv").splitlines(keepends=True))}
    assert len(rows) == len(SHARES) + len(HOSTILE)
    score = next(each for each in mills.systems if each.name == "strong").submissions["mills"].record.scores["bleu"]
    assert float(rows["strong"]["bleu"]) == score.value
    assert (float(rows["strong"]["bleu low"]), float(rows["strong"]["bleu high"])) == (score.low, score.high)


@pytest.mark.parametrize("name", ["=1+1", "@x", "-2", "+3"])
def test_a_name_is_no_formula(name: str) -> None:
    assert no_formula(name) == f"'{name}"


def test_the_json_says_what_each_score_covers(site: Path) -> None:
    systems = {each["name"]: each for each in json.loads(text(site, "table.json"))["systems"]}
    assert set(HOSTILE) <= set(systems)
    assert systems["blind"]["scores"]["faithfulness"]["unmeasured"]["no contexts"] > 0
    assert systems["weak"]["baseline"] is True


def test_the_markdown_is_one_table_of_texts(site: Path) -> None:
    lines = text(site, "table.md").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(SHARES) + len(HOSTILE)
    assert "<script>" not in text(site, "table.md")


def test_the_latex_is_a_whole_tabular(site: Path) -> None:
    found = text(site, "table.tex")
    assert found.startswith(r"\begin{tabular}{ll")
    assert found.count(r" \\") == 1 + len(SHARES) + len(HOSTILE)
    assert r"C:\textbackslash{}x" in found or r"C:\textbackslash x" in found


def test_a_value_that_no_column_shows_is_in_every_table(mills: Board) -> None:
    ruled = replace(mills, rank=RankRule(kind="bradley_terry", columns=mills.rank.columns))
    plan = Plan(board=ruled, standings=standings(ruled))
    best, title = plan.standings.rows[0], value_title(plan)
    first = next(csv.DictReader(as_csv(plan).splitlines(keepends=True)))
    assert (float(first[title]), float(first[f"{title} low"])) == (best.value, best.low)
    assert json.loads(as_json(plan))["systems"][0]["value"] == best.value
    assert as_markdown(plan).startswith(f"| system | rank | {title} ↑ |")
    assert all(line.count(" & ") == 2 + len(mills.columns) for line in as_latex(plan).splitlines() if line.endswith(r" \\"))
