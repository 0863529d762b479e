"""The site of a board in a real browser: sorted, filtered, compared, linked to, by keyboard, on a phone, in the dark."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalharness.comparison import Line, compare
from evalharness.comparison.words import notes_of, p_value, verdict
from evalharness.leaderboard import Board, read_board
from evalharness.leaderboard.board import System
from evalharness.leaderboard.columns import RankRule, RuleKind
from evalharness.leaderboard.site import build
from evalharness.leaderboard.site.plan import slug
from evalharness.leaderboard.standing import standings
from evalharness.results.wording import number
from tests.browser.conftest import Visit
from tests.leaderboard.site.boards import HOSTILE, LAKE, MILL, SHARES, write_board

pytestmark = pytest.mark.browser
ROWS = "#board .tabulator-row"
PAGES = ("index.html", "compare.html#a=weak&b=strong", "systems/strong.html", "tasks/mills.html")
SYSTEMS = len(SHARES) + len(HOSTILE)


@pytest.fixture(scope="module")
def mills(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return read_board(write_board(tmp_path_factory.mktemp("mills") / "board"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mills: Board) -> Path:
    out = tmp_path_factory.mktemp("site")
    build(mills, out)
    return out


@pytest.fixture
def see(visit: Visit, site: Path) -> Callable[..., Any]:
    """Give what opens a page of the site and waits until it answers."""

    def seen(address: str, **options: Any) -> Any:
        name, mark, fragment = address.partition("#")
        page = visit(site / name, mark + fragment, **options)
        if name in ("index.html", "compare.html"):
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    return seen


def names(page: Any) -> list[str]:
    return page.locator(f"{ROWS} a.system").all_text_contents()


def values(page: Any, title: str) -> list[float]:
    """Return the numbers of a column, top to bottom."""
    column = page.get_by_role("columnheader", name=title).get_attribute("tabulator-field")
    return [float(text) for text in page.locator(f"{ROWS} [tabulator-field='{column}'] .num").all_text_contents()]


def header(page: Any, title: str) -> Any:
    return page.get_by_role("columnheader", name=title)


def test_systems_stand_in_the_order_of_their_ranks(see: Callable[..., Any]) -> None:
    page = see("index.html")
    assert names(page)[0] == "strong"
    assert names(page)[-1] == "lame"
    assert header(page, "Rank").get_attribute("aria-sort") == "ascending"
    assert page.locator("#count").inner_text() == f"{SYSTEMS} systems"


def test_a_click_on_a_header_sorts_and_a_second_one_turns_round(see: Callable[..., Any]) -> None:
    page = see("index.html")
    header(page, "bleu").click()
    assert header(page, "bleu").get_attribute("aria-sort") == "descending"
    down = values(page, "bleu")
    assert down == sorted(down, reverse=True)
    header(page, "bleu").click()
    assert header(page, "bleu").get_attribute("aria-sort") == "ascending"
    assert values(page, "bleu") == sorted(down)


def without_replicates(system: System, folder: Path) -> System:
    submission = system.submissions["mills"]
    shutil.copytree(submission.folder, folder)
    (folder / "replicates.npz").unlink()
    return replace(system, submissions={"mills": replace(submission, folder=folder)})


def test_a_row_that_is_not_ranked_says_why(visit: Visit, mills: Board, tmp_path: Path) -> None:
    systems = [each if each.name != "weak" else without_replicates(each, tmp_path / "weak") for each in mills.systems]
    build(replace(mills, systems=tuple(systems)), tmp_path / "site")
    page = visit(tmp_path / "site" / "index.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    row = page.locator(f"{ROWS}:has(a[href='systems/weak.html'])")
    assert row.locator("[tabulator-field='place'] .num").inner_text() == "–"
    assert row.locator(".marks .warn").first.inner_text().startswith("not ranked: ")


def test_columns_beyond_the_edge_are_hinted_at_until_they_are_seen(see: Callable[..., Any]) -> None:
    page = see("index.html", width=700)
    page.locator("#board.beyond").wait_for()
    page.locator("#board .tabulator-tableholder").evaluate("each => { each.scrollLeft = each.scrollWidth; }")
    page.locator("#board:not(.beyond)").wait_for()


@pytest.mark.parametrize(("rank", "title"), [("mean_win_rate", "mean win rate"), ("bradley_terry", "Bradley-Terry strength")])
def test_the_value_that_ranks_is_the_first_score(visit: Visit, mills: Board, tmp_path: Path, rank: RuleKind, title: str) -> None:
    ruled = replace(mills, rank=RankRule(kind=rank, columns=mills.rank.columns))
    build(ruled, tmp_path / "site")
    page = visit(tmp_path / "site" / "index.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.get_by_role("columnheader").nth(2).inner_text().replace("\n", " ").startswith(title)
    ranking = [float(number(row.value)) for row in standings(ruled).rows if row.value is not None]
    assert values(page, title) == ranking
    assert "95 % interval" in page.locator(f"{ROWS} [tabulator-field='c0'] .line").first.get_attribute("title")


def test_a_search_and_a_choice_leave_out_rows(see: Callable[..., Any]) -> None:
    page = see("index.html")
    page.get_by_label("Find a system").fill("TWI")
    assert names(page) == ["twin"]
    assert page.locator("#count").inner_text() == f"1 of {SYSTEMS} systems"
    page.get_by_label("Find a system").fill("")
    page.get_by_label("Rows").select_option("own")
    assert "weak" not in names(page)
    page.get_by_label("Find a system").fill("no such thing")
    assert page.get_by_text("No system fits").is_visible()
    page.get_by_role("button", name="Show all again").click()
    assert page.locator("#count").inner_text() == f"{SYSTEMS} systems"


def test_columns_can_be_hidden(see: Callable[..., Any]) -> None:
    page = see("index.html")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="bleu").uncheck()
    assert not header(page, "bleu").is_visible()
    assert "hide=" in page.evaluate("location.hash")
    page.keyboard.press("Escape")
    assert not page.get_by_role("checkbox", name="bleu").is_visible()


def sorted_by(page: Any, title: str, way: str) -> None:
    """Wait until a column is the one that is sorted by."""
    page.locator(f".tabulator-col[aria-sort='{way}']", has_text=title).wait_for()


def test_a_link_leads_to_the_same_view_and_back_goes_back(see: Callable[..., Any]) -> None:
    first = see("index.html")
    header(first, "bleu").click()
    sorted_by(first, "bleu", "descending")
    first.get_by_label("Rows").select_option("own")
    shown = names(first)
    page = see(f"index.html{first.evaluate('location.hash')}")
    sorted_by(page, "bleu", "descending")
    assert names(page) == shown
    first.go_back()
    first.wait_for_function("document.getElementById('rows').value === ''")
    sorted_by(first, "bleu", "descending")
    first.go_back()
    sorted_by(first, "Rank", "ascending")
    first.go_forward()
    sorted_by(first, "bleu", "descending")


@pytest.mark.parametrize("fragment", ["sort=nothing:up", "hide=%7Bnot", "rows=x&find=%", "sort=toString:asc&hide=[1,2]"])
def test_a_mistyped_link_shows_the_board(see: Callable[..., Any], fragment: str) -> None:
    assert header(see(f"index.html#{fragment}"), "Rank").get_attribute("aria-sort") == "ascending"


def test_a_cell_says_what_it_covers(see: Callable[..., Any]) -> None:
    page = see("index.html")
    row = page.locator(ROWS).filter(has=page.get_by_text("blind", exact=True))
    cell = row.locator("[tabulator-field='c4']")
    assert cell.locator(".cover.less").inner_text().startswith("75 %")
    assert "30 unmeasured, no contexts" in cell.locator(".line").get_attribute("title")
    assert "30 unmeasured, no contexts" in cell.locator(".only-read").last.text_content()


def test_what_the_data_lack_for_all_is_said_quietly_and_errors_stand_out(see: Callable[..., Any]) -> None:
    page = see("index.html")
    quiet = page.locator(f"{ROWS}:has(a[href='systems/strong.html']) [tabulator-field='c0']")
    assert quiet.locator(".cover").inner_text().startswith("92 %")
    assert quiet.locator(".less, .bad").count() == 0
    row = page.locator(f"{ROWS}:has(a[href='systems/gaps.html'])")
    assert row.locator("[tabulator-field='c0'] .cover.less").inner_text().startswith("75 %")
    assert row.locator("[tabulator-field='c0'] .cover.bad").inner_text() == "20 errors"
    assert row.locator(".marks .warn").inner_text() == "75 % covered"
    assert page.locator(f"{ROWS}:has(a[href='systems/strong.html']) .marks .warn").count() == 0
    page.locator("#rows").select_option("whole")
    assert "gaps" not in names(page)
    assert "strong" in names(page)


def test_a_comparison_says_what_lost_samples_could_change_and_where_the_exact_test_is(
    see: Callable[..., Any], mills: Board
) -> None:
    folders = {system.name: system.submissions["mills"].folder for system in mills.systems}
    line = compare(folders["gaps"], folders["strong"], scores=["token_f1"]).pairs[0].lines[0]
    page = see("compare.html#a=gaps&b=strong")
    row = page.locator("#answer tbody tr").filter(has=page.get_by_text("token_f1", exact=True))
    (told,) = [note for note in notes_of(line) if note.startswith("whatever the lost samples were")]
    assert told in row.locator(".note").all_inner_texts()
    assert "exact p" not in page.locator("#answer thead").inner_text()
    assert page.get_by_text("Below 50 groups the command adds the p of an exact test").is_visible()


def test_a_name_opens_the_page_of_its_system(see: Callable[..., Any]) -> None:
    page = see("index.html")
    page.get_by_role("link", name="strong").click()
    page.wait_for_url("**/systems/strong.html")
    assert page.get_by_role("heading", level=1).inner_text() == "strong"
    assert page.get_by_role("rowheader", name="faithfulness").is_visible()
    assert page.get_by_role("heading", name="By kind").is_visible()
    assert page.locator("pre code").first.inner_text().startswith("evalharness run")


def shown(line: Line) -> list[str]:
    """Return the cells of a line as `evalharness compare` prints them."""
    found = line.difference
    ends = "–" if found.low is None or found.high is None else f"{number(found.low)} to {number(found.high)}"
    three = ["–" if value is None else number(value) for value in (line.a.value, line.b.value, found.value)]
    effect = "–" if found.effect is None else f"{found.effect:+.2f}"
    assert line.counts is not None
    counts = f"{line.counts.wins}/{line.counts.ties}/{line.counts.losses}"
    return [*three, ends, p_value(found.p), p_value(line.p_adjusted), effect, counts]


PAIRS = [("weak", "strong"), ("strong", "lame"), ("twin", "weak"), ("blind", "strong"), ("strong", "blind"), (HOSTILE[0], "weak")]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_comparison_shows_the_numbers_of_the_command(see: Callable[..., Any], mills: Board, a: str, b: str) -> None:
    folders = {system.name: system.submissions["mills"].folder for system in mills.systems}
    titles = [column.score for column in mills.columns]
    expected = compare(folders[a], folders[b], scores=titles).pairs[0].lines
    page = see(f"compare.html#a={slug(a)}&b={slug(b)}")
    rows = page.locator("#answer tbody tr")
    assert rows.count() == len(expected)
    for place, line in enumerate(expected):
        cells = rows.nth(place).locator("td").all_inner_texts()
        assert cells[:8] == shown(line), line.score
        assert rows.nth(place).locator(".verdict span").first.inner_text() == verdict(line, "b")


def test_choosing_systems_changes_answer_and_address(see: Callable[..., Any]) -> None:
    page = see("compare.html")
    page.locator("#a").select_option("weak")
    page.wait_for_selector("html[data-ready^='weak ']", state="attached")
    page.locator("#b").select_option("lame")
    page.wait_for_selector("html[data-ready='weak lame']", state="attached")
    assert page.evaluate("location.hash") == "#a=weak&b=lame"
    page.get_by_role("button", name="Swap").click()
    page.wait_for_selector("html[data-ready='lame weak']", state="attached")
    page.go_back()
    page.wait_for_selector("html[data-ready='weak lame']", state="attached")
    assert page.locator("#a").input_value() == "weak"


def test_changed_samples_stand_side_by_side_with_passages_and_evidence(see: Callable[..., Any]) -> None:
    page = see("compare.html#a=weak&b=strong")
    page.locator("#score").select_option("token_f1")
    card = page.locator("article").first
    card.wait_for()
    sides = card.locator(".side")
    assert sides.count() == 2
    assert "Purple elephants" in sides.nth(0).inner_text()
    assert sides.nth(1).locator(".response").inner_text().startswith("the old mill stone")
    assert sides.nth(0).locator(".response mark").first.inner_text() == "The old mill was built in 1840."
    sides.nth(0).locator("summary").click()
    passages = sides.nth(0).locator(".passages li")
    assert {passages.nth(0).locator("span").inner_text(), passages.nth(1).locator("span").inner_text()} == {MILL, LAKE}
    assert page.locator("article").count() == 10
    page.get_by_role("button", name="Show more").click()
    page.wait_for_function("document.querySelectorAll('article').length > 10")
    page.locator("#side").select_option("worse")
    page.wait_for_function("document.querySelector('#shown').textContent.endsWith('samples')")


def test_samples_that_changed_begin_with_the_score_that_ranks(see: Callable[..., Any]) -> None:
    page = see("compare.html#a=weak&b=strong")
    page.locator("article").first.wait_for()
    assert page.locator("#score").input_value() == "token_f1"
    assert not page.locator("article details[open]").count()
    page.locator("#score").select_option("faithfulness")
    page.locator("article details[open] .passages").first.wait_for()


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.textContent || document.activeElement.id")


def test_the_board_can_be_used_by_keyboard_alone(see: Callable[..., Any]) -> None:
    page = see("index.html")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "find"
    for _ in range(30):
        page.keyboard.press("Tab")
        if "bleu" in focused(page):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert header(page, "bleu").get_attribute("aria-sort") == "descending"
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == "strong":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/systems/strong.html")


def test_the_focus_comes_through_the_whole_board(see: Callable[..., Any]) -> None:
    page = see("index.html")
    for _ in range(80):
        page.keyboard.press("Tab")
        if focused(page) == "LaTeX":
            return
    pytest.fail("the downloads after the table are not reached")


@pytest.mark.parametrize("address", [*PAGES, f"systems/{slug(HOSTILE[4])}.html", f"compare.html#a={slug(HOSTILE[4])}&b=weak"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(see: Callable[..., Any], address: str, width: int) -> None:
    page = see(address, width=width, height=844)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_table_scrolls_in_its_own_box(see: Callable[..., Any]) -> None:
    page = see("index.html", width=390, height=844)
    box = page.locator("#board .tabulator-tableholder")
    assert box.evaluate("each => each.scrollWidth > each.clientWidth")
    box.evaluate("each => { each.scrollLeft = each.scrollWidth; }")
    assert page.get_by_role("link", name="strong").bounding_box()["x"] >= 0
    assert not page.locator("#board.beyond").count()


@pytest.mark.parametrize("address", ["compare.html#a=weak&b=strong", "systems/strong.html"])
def test_on_a_phone_all_of_a_score_is_in_sight(see: Callable[..., Any], address: str) -> None:
    page = see(address, width=390, height=844)
    table = page.locator(".stacked").first
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth")
    ends = table.locator("td:visible, caption").evaluate_all("all => all.map((each) => each.getBoundingClientRect().right)")
    assert max(ends) <= 390


def ground(page: Any) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_dark_follows_the_system_until_the_reader_chooses(see: Callable[..., Any]) -> None:
    light, dark = see("index.html", color_scheme="light"), see("index.html", color_scheme="dark")
    assert ground(light) == "rgb(251, 251, 250)"
    assert ground(dark) == "rgb(20, 23, 26)"
    dark.get_by_role("button", name="Theme: auto").click()
    assert ground(dark) == ground(light)
    dark.reload()
    dark.wait_for_selector("html[data-ready]", state="attached")
    assert ground(dark) == ground(light)


def test_charts_are_drawn_in_the_colours_of_the_page(see: Callable[..., Any]) -> None:
    page = see("index.html")
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        plot.locator("svg").wait_for()
        assert plot.locator("svg").get_attribute("aria-hidden") == "true"
    texts = page.locator(".plot svg text").all_text_contents()
    assert "strong" in texts
    assert any(text.startswith("<script>") for text in texts)


def test_hostile_names_are_text_on_the_board(see: Callable[..., Any]) -> None:
    page = see("index.html")
    assert set(HOSTILE) <= set(names(page))
    assert page.evaluate("window.broken") is None


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_text_on_their_own_pages(see: Callable[..., Any], name: str) -> None:
    page = see(f"systems/{slug(name)}.html")
    assert page.get_by_role("heading", level=1).text_content() == name
    other = see(f"compare.html#a={slug(name)}&b=strong")
    assert other.locator("#answer p a").first.text_content() == name
    assert page.evaluate("window.broken") is None
    assert other.evaluate("window.broken") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", PAGES)
def test_no_serious_fault_of_accessibility(
    see: Callable[..., Any], axe: Callable[[Any], list[str]], address: str, scheme: str
) -> None:
    page = see(address, color_scheme=scheme)
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        plot.locator("svg").wait_for()
    page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
    assert axe(page) == []


def test_print_shows_every_row_and_column(see: Callable[..., Any]) -> None:
    page = see("index.html")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    table = page.locator("table.tabulator-print-table")
    assert table.locator("tbody tr").count() == SYSTEMS
    assert "faithfulness" in table.inner_text()
    assert not page.locator("#tools").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
