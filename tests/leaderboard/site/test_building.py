"""The site as files: what is written, that it is the same every time, that nothing of a record becomes markup."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalharness.comparison import compare
from evalharness.leaderboard import Board, read_board
from evalharness.leaderboard.site import build
from evalharness.leaderboard.site.plan import slug
from evalharness.leaderboard.submission import add
from tests.leaderboard.site.boards import HOSTILE, LAKE, MILL, SAMPLES, SHARES


def received(path: Path) -> Any:
    """Return the value that a data file hands to the page."""
    text = path.read_text(encoding="utf-8")
    match = re.fullmatch(r"evalharness\.receive\((\"[^\"]+\"),(.*)\);\n", text, re.DOTALL)
    assert match is not None
    return json.loads(match[2])


def embedded(page: Path, id: str) -> Any:
    """Return the JSON that stands in a page under an id."""
    match = re.search(rf'<script type="application/json" id="{id}">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert match is not None
    return json.loads(match[1])


def test_every_system_and_task_has_a_page(site: Path, mills: Board) -> None:
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    systems = {f"systems/{slug(system.name)}.html" for system in mills.systems}
    assert pages == {"index.html", "compare.html", "tasks/mills.html", *systems}
    assert len(systems) == len(SHARES) + len(HOSTILE)


def test_the_list_of_files_names_all_others(site: Path) -> None:
    listed = (site / "files.txt").read_text(encoding="utf-8").splitlines()
    assert sorted([*listed, "files.txt"]) == sorted(
        path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()
    )


def test_a_second_build_gives_the_same_bytes(site: Path, mills: Board, tmp_path: Path) -> None:
    build(read_board(mills.folder), tmp_path)
    for path in sorted(site.rglob("*")):
        if path.is_file():
            assert (tmp_path / path.relative_to(site)).read_bytes() == path.read_bytes(), path


def test_names_are_text_on_every_page(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        own = re.sub(r'<script type="application/json" id="[^"]*">.*?</script>', "", text, flags=re.DOTALL)
        assert "window.broken=1</script>" not in own
        assert "<img" not in own
        assert "Mills &amp; &lt;others&gt;" in own


def test_data_files_hold_no_angle_bracket(site: Path) -> None:
    for path in (site / "data").rglob("*.js"):
        assert "<" not in path.read_text(encoding="utf-8"), path


def test_pages_name_only_files_of_the_site(site: Path) -> None:
    for path in site.rglob("*.html"):
        for reference in re.findall(r'(?:href|src)="([^"]+)"', path.read_text(encoding="utf-8")):
            target = reference.partition("#")[0]
            if target and not target.startswith("data:"):
                assert (path.parent / target).resolve().is_file(), f"{path.name}: {reference}"


def test_the_policy_forbids_inline_scripts_and_styles(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
        assert policy is not None
        assert "default-src &#39;none&#39;; script-src &#39;self&#39;; style-src &#39;self&#39;" in policy[1]
        assert "unsafe" not in policy[1]
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text)
        assert not re.search(r"<[a-z][^>]*\s(style|on[a-z]+)=", text)


def test_cells_say_what_they_cover(site: Path, mills: Board) -> None:
    table = embedded(site / "index.html", "table")
    place = [column["title"] for column in table["columns"]].index("faithfulness")
    (blind,) = [row for row in table["rows"] if row["name"] == "blind"]
    value, low, high, share, errors, note = blind["cells"][place]
    score = (
        mills.systems[[system.name for system in mills.systems].index("blind")].submissions["mills"].record.scores["faithfulness"]
    )
    assert value == pytest.approx(score.value, rel=1e-5)
    assert (low, high) == (pytest.approx(score.low, rel=1e-5), pytest.approx(score.high, rel=1e-5))
    assert share == pytest.approx(score.samples / SAMPLES, abs=1e-4)
    assert errors == 0
    assert "no contexts" in table["notes"][note]


def test_only_what_others_cover_falls_short(site: Path) -> None:
    table = embedded(site / "index.html", "table")
    rows = {row["name"]: row for row in table["rows"]}
    assert {column["title"]: column["covered"] for column in table["columns"]}["token_f1"] == round(110 / SAMPLES, 4)
    assert (rows["strong"]["coverage"] < 1, rows["strong"]["short"], rows["gaps"]["short"]) == (True, False, True)
    strong, gaps = ((site / "systems" / f"{name}.html").read_text(encoding="utf-8") for name in ("strong", "gaps"))
    assert '<span class="cover">92 %</span>' in strong
    assert 'class="note warn"' not in strong
    assert '<span class="cover less">' in gaps
    assert '<li class="note warn" dir="auto">over other samples: token_f1 on ' in gaps


def floats(text: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_spreads_are_those_of_the_comparison(site: Path, mills: Board) -> None:
    names = [system.name for system in mills.systems]
    folders = {system.name: system.submissions["mills"].folder for system in mills.systems}
    a, b = sorted(["strong", "weak"], key=names.index)
    found = received(site / "data" / "systems" / f"{b}.js")
    for line in compare(folders[a], folders[b], scores=["token_f1", "bleu"]).pairs[0].lines:
        assert floats(found["spreads"][line.score])[names.index(a)] == pytest.approx(line.difference.se, rel=1e-6)


def test_scores_over_different_samples_are_compared_over_those_of_both(site: Path, mills: Board) -> None:
    names = [system.name for system in mills.systems]
    folders = {system.name: system.submissions["mills"].folder for system in mills.systems}
    a, b = sorted(["blind", "strong"], key=names.index)
    (line,) = compare(folders[a], folders[b], scores=["faithfulness"]).pairs[0].lines
    shared = received(site / "data" / "systems" / f"{b}.js")["shared"][a]["faithfulness"]
    assert shared[:2] == [line.a.value, line.b.value]
    assert shared[2:6] == [line.difference.se, line.difference.groups, line.a.samples, line.b.samples]


def test_samples_stand_once_and_apart_from_the_pages(site: Path) -> None:
    common = received(site / "data" / "samples" / "mills.js")
    assert len(common["ids"]) == SAMPLES
    assert sorted(text for _, text in common["passages"]) == sorted([MILL, LAKE])
    texts = received(site / "data" / "samples" / "mills" / "strong.js")
    place = texts["places"].index(common["ids"].index("q003"))
    assert common["fields"][texts["places"][place]]["input"] == "Which stone was number 3?"
    assert set(texts["contexts"][place]) == {0, 1}
    assert all(MILL not in path.read_text(encoding="utf-8") for path in site.rglob("*.html"))


def test_texts_that_were_left_out_are_nowhere(mills: Board, tmp_path: Path) -> None:
    board = tmp_path / "board"
    shutil.copytree(mills.folder, board, ignore=shutil.ignore_patterns("records"))
    for name in ("strong", "weak"):
        add(board, mills.folder.parent / "runs" / name, texts=False)
    build(read_board(board), tmp_path / "site")
    assert all("Purple" not in path.read_text(encoding="utf-8") for path in (tmp_path / "site" / "data").rglob("*.js"))
    assert "texts</dt><dd>left out" in (tmp_path / "site" / "systems" / "weak.html").read_text(encoding="utf-8")


def test_a_board_without_systems_is_a_site_too(mills: Board, tmp_path: Path) -> None:
    shutil.copytree(mills.folder, tmp_path / "board", ignore=shutil.ignore_patterns("records"))
    build(read_board(tmp_path / "board"), tmp_path / "site")
    assert embedded(tmp_path / "site" / "index.html", "table")["rows"] == []


def test_the_site_is_small_without_samples(site: Path) -> None:
    heavy = {"samples", "scores"}
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file() and not heavy & set(path.parts))
    assert size < 3_000_000


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_name_is_plain_whatever_the_name(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,60}", slug(name))


def test_names_that_differ_in_case_alone_have_files_of_their_own() -> None:
    assert len({slug("dense").lower(), slug("Dense").lower(), slug("DENSE").lower()}) == 3


def test_a_name_that_a_platform_keeps_for_a_device_is_no_file_name() -> None:
    assert slug("con") != "con"
