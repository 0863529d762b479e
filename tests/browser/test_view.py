"""The page of a run in a real browser: found, chosen, read and left by keyboard, on a phone, in the dark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalharness as eh
from evalharness.pages.view import write_view
from evalharness.results.figures import write_figures
from tests.browser.conftest import Visit
from tests.pages.runs import HOSTILE, write_run
from tests.pages.test_charts import ROC, TABLE

pytestmark = pytest.mark.browser
ROWS = "#sample-table .tabulator-row"
CHOICES = """\
name: choices
version: 1
dataset: {path: choices.jsonl, fields: {input: question}}
output_type: multiple_choice
system: {name: echo, prompt: "{{ input }}", model: echo}
metrics: [choice_accuracy]
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_view(write_run(tmp_path_factory.mktemp("mills")))


@pytest.fixture
def page(visit: Visit, written: Path) -> Any:
    return ready(visit(written))


def ready(page: Any) -> Any:
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector(ROWS)
    return page


def ids(page: Any) -> list[str]:
    return page.locator(f"{ROWS} a.open").all_inner_texts()


def listed(page: Any, count: int) -> None:
    """Wait until so many samples are chosen."""
    page.locator("output.count", has_text=f"{count} of 60 samples").wait_for()


def column(page: Any, name: str) -> list[str]:
    return page.locator(f"{ROWS} [tabulator-field='{name}']").all_inner_texts()


def open_sample(page: Any, name: str) -> Any:
    page.get_by_label("Search", exact=True).fill(name)
    listed(page, 1)
    page.get_by_role("link", name=name).click()
    page.locator("#sample-title").wait_for()
    return page.locator("dialog")


def test_all_samples_are_counted_and_the_first_page_is_listed(page: Any) -> None:
    listed(page, 60)
    assert page.locator(ROWS).count() == 25
    assert ids(page)[-1] == "q024"


def test_a_click_on_a_title_sorts_and_samples_without_a_value_stand_last(page: Any) -> None:
    title = page.locator("#sample-table").get_by_role("button", name="token_f1")
    title.click()
    page.wait_for_selector("[tabulator-field='token_f1'][aria-sort='ascending']")
    up = column(page, "token_f1")
    assert [float(value) for value in up] == sorted(float(value) for value in up)
    title.click()
    page.wait_for_selector("[tabulator-field='token_f1'][aria-sort='descending']")
    page.wait_for_timeout(200)
    down = column(page, "token_f1")
    assert down[0] == "1.000"
    page.get_by_role("button", name="Last Page").click()
    page.wait_for_timeout(200)
    assert column(page, "token_f1")[-1] == "no reference"


def test_titles_are_sorted_by_keyboard(page: Any) -> None:
    page.locator("#sample-table").get_by_role("button", name="token_f1").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[tabulator-field='token_f1'][aria-sort='ascending']")


def test_samples_are_chosen_by_score_status_and_slice_and_all_come_back(page: Any) -> None:
    page.locator("summary", has_text="Scores").click()
    page.get_by_label("least faithfulness").fill("0.99")
    page.get_by_label("most faithfulness").fill("1")
    page.locator("output.count", has_not_text="60 of 60").wait_for()
    chosen = int(page.locator("output.count").inner_text().split()[0])
    assert 0 < chosen < 60
    page.get_by_role("button", name="Clear").click()
    listed(page, 60)
    page.get_by_label("Status").select_option(label="no reference (7)")
    listed(page, 7)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("combobox", name="topic").select_option("topic 3")
    listed(page, 12)
    page.get_by_role("combobox", name="kind").select_option("lake")
    listed(page, 4)


def test_a_column_is_shown_and_hidden(page: Any) -> None:
    page.locator("summary", has_text="Scores").click()
    page.get_by_role("checkbox", name="perplexity").check()
    page.locator(f"{ROWS} [tabulator-field='perplexity']").first.wait_for(state="visible")
    page.get_by_role("checkbox", name="perplexity").uncheck()
    page.locator(f"{ROWS} [tabulator-field='perplexity']").first.wait_for(state="hidden")


def test_search_goes_through_all_texts_whatever_their_case(page: Any) -> None:
    page.get_by_label("Search", exact=True).fill("PURPLE elephants")
    page.locator("output.count", has_not_text="60 of 60").wait_for()
    assert {name[0] for name in ids(page)} == {"q"}
    page.get_by_label("Search", exact=True).fill("question NUMBER 41?")
    listed(page, 1)
    assert ids(page) == ["q041"]
    page.get_by_label("Search", exact=True).fill("no text holds this")
    listed(page, 0)
    assert page.get_by_text("No sample is like this.").is_visible()
    page.get_by_label("Search", exact=True).fill("")
    listed(page, 60)


def test_a_search_under_way_can_be_stopped(page: Any) -> None:
    page.evaluate("evalharness.view.pause = () => new Promise((resolve) => setTimeout(resolve, 60_000))")
    page.get_by_label("Search", exact=True).fill("mill")
    page.get_by_role("button", name="Stop").click()
    page.locator("#search-progress").wait_for(state="hidden")
    listed(page, 60)


def test_a_sample_is_opened_stepped_through_and_closed_by_keyboard(page: Any) -> None:
    page.get_by_role("link", name="q008").focus()
    page.keyboard.press("Enter")
    page.locator("#sample-title", has_text="q008").wait_for()
    assert page.evaluate("document.activeElement.id") == "sample-title"
    page.keyboard.press("ArrowRight")
    page.locator("#sample-title", has_text="q009").wait_for()
    assert page.url.endswith("#sample=q009")
    page.keyboard.press("ArrowLeft")
    page.locator("#sample-title", has_text="q008").wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    assert "#" not in page.url
    assert page.evaluate("document.activeElement.textContent") == "q008"


def test_a_sample_shows_all_that_the_run_knows(page: Any) -> None:
    dialog = open_sample(page, "q030")
    shown = dialog.inner_text()
    for text in ("Question number 30?", "the ice of 30", "retriever 2.500", "relevant: 1", "retriever -1.000", "group: topic 2"):
        assert text in shown
    dialog.locator("summary", has_text="Prompt").click()
    assert "[2] Lake Orrin freezes every winter." in dialog.locator("details[open] pre").inner_text()
    dialog.locator("summary", has_text="Replies that perplexity was given (1)").click()
    assert "logprobs" in dialog.inner_text()
    dialog.locator("summary", has_text="Statistics").click()
    assert "reference_length" in dialog.inner_text()


def test_evidence_marks_response_and_passage_and_links_them(page: Any) -> None:
    dialog = open_sample(page, "q030")
    first, second = dialog.locator(".response mark").all()
    assert [first.inner_text(), second.inner_text()] == ["🙂 The old mill was built in 1840.", "Purple elephants like jazz."]
    passage = dialog.locator(".passage mark").first
    assert passage.inner_text() == "The old mill 🙂 was built in 1840."
    first.hover()
    assert "lit" in passage.get_attribute("class")
    assert dialog.locator("tr.lit th").all_inner_texts() == ["🙂 The old mill was built in 1840."]
    page.mouse.move(0, 0)
    second.focus()
    assert "lit" not in passage.get_attribute("class")
    first.focus()
    page.keyboard.press("Enter")
    page.locator("#sample-title").focus()
    assert "lit" in passage.get_attribute("class")


def test_choices_are_shown_with_their_likelihoods_target_and_answer(visit: Visit, tmp_path: Path) -> None:
    rows = [{"id": f"m{number}", "question": "Which?", "choices": ["amber", "kiln"], "target": 0} for number in range(4)]
    (tmp_path / "choices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "task.yaml").write_text(CHOICES, encoding="utf-8")
    eh.run(tmp_path / "task.yaml", out=tmp_path / "run", store=tmp_path / "store.sqlite")
    page = ready(visit(write_view(tmp_path / "run"), "#sample=m2"))
    page.locator("#sample-title", has_text="m2").wait_for()
    shown = page.locator("dialog section", has_text="Choices").locator("li").all_inner_texts()
    assert [" ".join(text.split()) for text in shown] == [
        "amber log-likelihood -5.000 target",
        "kiln log-likelihood -4.000 chosen",
    ]


def test_the_address_opens_the_sample_that_it_names(visit: Visit, written: Path) -> None:
    page = ready(visit(written, "#sample=q033"))
    page.locator("#sample-title", has_text="q033").wait_for()
    assert page.locator("dialog").get_by_text("34 of 60").is_visible()


def test_a_slice_lists_its_samples(page: Any) -> None:
    table = page.get_by_role("region", name="Slices by topic")
    assert table.locator("tbody tr").first.inner_text().split("\t")[:2] == ["topic 0", "12"]
    table.get_by_role("button", name="topic 4").click()
    listed(page, 12)


def test_distributions_are_drawn(page: Any) -> None:
    page.locator("#distribution-1").scroll_into_view_if_needed()
    page.locator("#distribution-1 svg path").first.wait_for(state="attached")


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_figures_are_drawn_and_said_in_words(
    visit: Visit, tmp_path: Path, written: Path, axe: Callable[[Any], list[str]], colors: str
) -> None:
    run = shutil.copytree(written.parent, tmp_path / "run")
    write_figures(run, {"auroc": [ROC], "table": [TABLE]})
    page = ready(visit(write_view(run), color_scheme=colors, bypass_csp=True))
    for place in (1, 2):
        page.locator(f"#figure-{place}").scroll_into_view_if_needed()
        page.locator(f"#figure-{place} svg path").first.wait_for(state="attached")
    assert "true positives over false positives: model; chance (dashed); bins (bars)" in page.locator("main").inner_text()
    assert "the largest number is 3, at cat and cat" in page.locator("main").inner_text()
    assert page.locator("#figure-2 svg .role-mark text").all_text_contents() == ["3", "1", "0", "-2.500"]
    assert axe(page) == []


def test_hostile_texts_stay_texts(page: Any) -> None:
    for name, text in HOSTILE.items():
        row = page.evaluate("name => evalharness.view.index.id.findIndex((id) => id.startsWith(name + ' '))", name)
        page.evaluate("row => evalharness.view.open(row, [row])", row)
        page.locator("#sample-title", has_text=name).wait_for()
        assert page.locator("dialog .response").inner_text().strip() == text
        assert page.locator("dialog .passage .text").inner_text() == text
        assert page.evaluate("[...document.querySelectorAll('dialog :is(script, img)')].length") == 0
    assert page.evaluate("window.broken") is None


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_no_serious_fault_of_accessibility(visit: Visit, written: Path, axe: Callable[[Any], list[str]], colors: str) -> None:
    page = ready(visit(written, color_scheme=colors, bypass_csp=True))
    assert axe(page) == []
    page.evaluate("evalharness.view.open(30, [30, 31])")
    page.locator("#sample-title", has_text="q030").wait_for()
    assert axe(page) == []


def test_a_phone_needs_no_sideways_scrolling(visit: Visit, written: Path) -> None:
    page = ready(visit(written, width=390, height=844))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ends = page.locator(".stacked td:visible").evaluate_all("all => all.map((each) => each.getBoundingClientRect().right)")
    assert max(ends) <= 390
    page.evaluate("evalharness.view.open(30, [30])")
    page.locator("#sample-title", has_text="q030").wait_for()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 390


def test_dark_is_dark_and_the_button_changes_it(visit: Visit, written: Path) -> None:
    page = ready(visit(written, color_scheme="dark"))
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    assert max(map(int, dark[4:-1].split(","))) < 60
    page.get_by_role("button", name="Theme").click()
    assert min(map(int, page.evaluate(ground)[4:-1].split(","))) > 200
