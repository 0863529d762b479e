"""A run of 50,000 samples as one page: writing it, opening it, filtering and searching all texts without freezing.

    python -m benchmarks.view
    python -m benchmarks.view --keep DIR      # leaves the run and its page there, to look at

The page is opened in headless Chromium (from the path, or named in EVALHARNESS_CHROMIUM). Samples are made up: three
passages of some 500 characters, the prompt over them, a sentence of the first as response, a word of it as reference.

Measured on 2 cores that were busy with other work (load 7 to 10): written in 21 s, peak 266 MB, 26 MB; table after 1.1 s,
filters 40 to 75 ms, sorting 45 ms, search through all texts 2.8 to 4.0 s without a task of more than 50 ms.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Page, sync_playwright

from benchmarks.process import EVALHARNESS, measure
from benchmarks.responses import WORDS
from tests.browser.finding import NONE, chromium

SAMPLES = 50_000
TYPING_MS = 300  # the search waits that long for the next key
LOAD_MS, FILTER_MS, LONGEST_TASK_MS, PEAK_MB = 2_000, 150, 100, 400
TASK = """\
name: made_up
version: 1
description: Made-up questions with made-up passages, to measure the page of a run.
dataset: {path: documents.jsonl, fields: {input: question, references: answers}}
group: document
output_type: generate
system:
  name: echo
  prompt: |
    {% for passage in contexts %}[{{ loop.index }}] {{ passage.text }}
    {% endfor %}Question: {{ input }}
    {{ contexts[0].text.split(". ")[2] }}.
  model: echo
metrics: [exact_match, token_f1, rouge, {retrieval_recall: {k: [1, 3]}}, mrr, word_precision, faithfulness]
"""
# Told in the page: what takes the main thread longer than 50 ms, and when the table stands.
WATCH = """
window.long = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.long.push(entry.duration)))
  .observe({ type: "longtask", buffered: true });
new MutationObserver((_, observer) => {
  if (!("ready" in document.documentElement.dataset)) return;
  window.ready = performance.now();
  observer.disconnect();
}).observe(document, { subtree: true, attributes: true });
"""
# Changes a control and waits until the table shows what it chose.
CHANGE = """
async ([control, value, kind]) => {
  const input = document.querySelector(control), count = document.querySelector("output.count");
  const before = count.textContent, start = performance.now();
  input.value = value;
  input.dispatchEvent(new Event(kind));
  while (count.textContent === before) await new Promise((resolve) => requestAnimationFrame(resolve));
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - start;
}
"""


def write_task(folder: Path, samples: int) -> Path:
    """Write a task with that many made-up questions and return its file."""
    draw = random.Random(7)
    (folder / "task.yaml").write_text(TASK, encoding="utf-8")
    with open(folder / "documents.jsonl", "w", encoding="utf-8") as documents:
        for number in range(samples):
            documents.write(json.dumps(_document(number, draw)) + "\n")
    return folder / "task.yaml"


def _document(number: int, draw: random.Random) -> dict[str, Any]:
    sentences = [" ".join(draw.choices(WORDS, k=12)).capitalize() for _ in range(18)]
    passages = [
        {"id": f"p{number}-{place}", "text": ". ".join(sentences[6 * place : 6 * place + 6]) + ".", "score": 3.0 - place}
        for place in range(3)
    ]
    return {
        "id": f"q{number}", "question": f"What lies {' '.join(draw.choices(WORDS, k=8))}?", "answers": [draw.choice(WORDS)],
        "contexts": passages, "relevant": {f"p{number}-{draw.randrange(3)}": 1}, "kind": draw.choice(("number", "name", "place")),
        "document": f"d{number // 5}",
    }  # fmt: skip


def in_browser(path: Path) -> dict[str, float]:
    """Open the page and return what its reader waits for, in milliseconds."""
    program = chromium() or sys.exit(NONE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(WATCH)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
        page.wait_for_load_state("load")
        page.wait_for_timeout(1_000)
        found = _figures(page)
        browser.close()
    return found


def _figures(page: Page) -> dict[str, float]:
    found = {"table ready": page.evaluate("window.ready"), "longest task while loading": _longest(page)}
    found["filter by slice"] = page.evaluate(CHANGE, ["[data-slice='kind']", "1", "change"])
    found["filter by score"] = page.evaluate(CHANGE, ["[aria-label='least token_f1']", "0.05", "input"])
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(300)
    found["sort by score"] = _sort(page)
    found["longest task while filtering and sorting"] = _longest(page)
    found["search through all texts"] = page.evaluate(CHANGE, ["#search", "amber basin cedar delta", "input"]) - TYPING_MS
    found["longest task while searching"] = _longest(page)
    return found


def _sort(page: Page) -> float:
    return page.evaluate("""async () => {
      const start = performance.now();
      const drawn = new Promise((resolve) => {
        new MutationObserver(resolve).observe(document.querySelector(".tabulator-table"), { childList: true });
      });
      document.querySelector("[tabulator-field='token_f1'] .tabulator-col-sorter").click();
      await drawn;
      return performance.now() - start;
    }""")


def _longest(page: Page) -> float:
    """Return the longest task since the last question."""
    return page.evaluate("Math.max(0, ...window.long.splice(0))")


@click.command(help=__doc__)
@click.option("--samples", default=SAMPLES, show_default=True, help="How many samples.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where to leave the run and its page.")
def main(samples: int, keep: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        run, store = folder / "run", ["--store", str(folder / "store.sqlite")]
        if not (run / "record.json").is_file():
            measure([EVALHARNESS, "run", str(write_task(folder, samples)), "--out", str(run), *store])
        written = measure([EVALHARNESS, "view", str(run)])
        size = (run / "view.html").stat().st_size / 1e6
        click.echo(f"{samples} samples written in {written.seconds:.1f} s, peak {written.peak_mb:.0f} MB; {size:.1f} MB")
        found = in_browser(run / "view.html")
    for what, milliseconds in found.items():
        click.echo(f"{what}: {milliseconds:.0f} ms")
    slow = found["table ready"] > LOAD_MS or max(found["filter by slice"], found["filter by score"]) > FILTER_MS
    sys.exit(slow or found["longest task while searching"] > LONGEST_TASK_MS or written.peak_mb > PEAK_MB)


if __name__ == "__main__":
    main()
