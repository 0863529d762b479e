"""The page of a run: every sample is in it, nothing of a sample is markup, and prompts are those that were asked."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from evalharness.errors import DataError
from evalharness.leaderboard.texts import write_without_texts
from evalharness.pages.view import write_view
from evalharness.pages.view.chunks import CHUNK_ROWS, cut
from evalharness.pages.view.prompts import Prompts
from evalharness.pages.view.slices import MOST_VALUES, Slices
from evalharness.results import read_record
from evalharness.results.samples import read_rows
from evalharness.running import first_prompt
from evalharness.task import Prompter, load_task
from tests.pages.runs import HOSTILE, SAYS, questions, write_run

PACKED = re.compile(r'<script type="application/octet-stream" id="(\w+-\d+)">([^<]*)</script>')


def pieces(page: str, kind: str) -> Iterator[Any]:
    for name, packed in PACKED.findall(page):
        if name.startswith(kind):
            yield json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_view(run, tmp_path_factory.mktemp("page") / "mills.html").read_text(encoding="utf-8")


def markup(page: str) -> str:
    """Return the page without what stands in its scripts and styles."""
    return re.sub(r"(<(script|style)[^>]*>).*?</\2>", r"\1", page, flags=re.DOTALL)


def meta(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="meta">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_every_sample_is_in_the_page_with_all_its_texts(page: str, run: Path) -> None:
    stored = parquet.read_table(run / "samples.parquet").to_pylist()
    index = [part["id"] for part in pieces(page, "index")]
    assert [name for part in index for name in part] == [row["id"] for row in stored]
    texts = [sample for part in pieces(page, "texts") for sample in part]
    assert [sample["response"] for sample in texts] == [row["response"] for row in stored]
    for name in ("contexts", "answers", "evidence", "fields"):
        assert [sample.get(name) for sample in texts] == [row[name] and json.loads(row[name]) for row in stored]
    assert [sample["statistics"] for sample in texts] == [row["statistics"] for row in stored]


def test_scores_and_statuses_are_in_the_index(page: str, run: Path) -> None:
    stored = parquet.read_table(run / "samples.parquet").to_pylist()
    (part,), told = list(pieces(page, "index")), meta(page)
    for name, values in part["scores"].items():
        held = [row["scores"][name] for row in stored]
        assert [value is None for value in values] == [value is None for value in held]
        assert [value or 0 for value in values] == pytest.approx([value or 0 for value in held], rel=1e-5)
    known = [None, *told["statuses"]]
    for name, codes in part["statuses"].items():
        assert [known[code] for code in codes] == [row["statuses"][name] for row in stored]
    assert told["scores"]["retrieval_recall@1"]["metric"] == "retrieval_recall"
    assert (told["samples"], told["index"], told["starts"], told["grouped"]) == (60, 1, [0], True)


def test_no_text_of_a_sample_is_markup(page: str) -> None:
    assert not [text for text in HOSTILE.values() if "<" in text and text in page]
    assert "<img" not in markup(page)
    assert markup(page).count("</body>") == markup(page).count("</html>") == 1


def test_hostile_names_of_task_and_system_are_escaped(tmp_path: Path) -> None:
    run = write_run(tmp_path, 12)
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    record["system"]["name"] = record["task"]["name"] = HOSTILE["end"]
    record["scores"][HOSTILE["image"]] = record["scores"].pop("bleu") | {"unmeasured": {HOSTILE["script"]: 3}}
    (run / "record.json").write_text(json.dumps(record), encoding="utf-8")
    page = write_view(run).read_text(encoding="utf-8")
    assert not [text for text in HOSTILE.values() if "<" in text and text in page]
    assert "&lt;script&gt;window.broken" in page


def test_the_policy_names_every_script_and_style_and_allows_nothing_else(page: str) -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found
    policy = found[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'")
    own = re.findall(r"<script>(.*?)</script>", page, re.DOTALL) + re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(own) > 10
    for text in own:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=\"(?!data:)", markup(page))
    assert "unsafe" not in policy


def test_prompts_are_those_that_the_model_saw(page: str, run: Path) -> None:
    texts = [sample for part in pieces(page, "texts") for sample in part]
    asked = first_prompt(run.parent / "task.yaml", store=run.parent / "store.sqlite")
    assert texts[0]["prompt"] == {"text": asked}
    assert texts[30]["prompt"]["text"].endswith(f"Question: Question number 30?\n{SAYS[0]}\n")


def test_prompts_of_recorded_responses_and_of_models_without_one_have_a_reason(tmp_path: Path) -> None:
    lines = [json.dumps({"id": row["id"], "response": "a"}) for row in questions(9)[:6]]
    (tmp_path / "responses.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run = write_run(tmp_path, 9, more="", responses=tmp_path / "responses.jsonl")
    page = write_view(run).read_text(encoding="utf-8")
    texts = [sample for part in pieces(page, "texts") for sample in part]
    assert {sample["prompt"]["reason"] for sample in texts} == {"The responses were recorded elsewhere; this run asked no model."}
    assert texts[8]["failure"]["kind"] == "not recorded"
    assert meta(page)["failures"] == ["not recorded"]
    assert "3 lost to errors and excluded" in page


def test_prompts_without_their_few_shot_data_say_so_and_the_page_is_written(tmp_path: Path) -> None:
    run = write_run(tmp_path, 9, overrides=["fewshot.samples=2"])
    asked = Prompts.of(run, read_record(run))
    (rows,) = read_rows(run / "samples.parquet", 100)
    assert asked.of_row(rows[8], json.loads(rows[8]["fields"]))["text"].count("Question: ") == 3
    (tmp_path / "questions.jsonl").unlink()
    gone = Prompts.of(run, read_record(run))
    assert gone.of_row(rows[8], {})["reason"].startswith("The prompts cannot be rendered again: ")
    assert write_view(run).is_file()


def test_a_run_that_lies_elsewhere_finds_its_few_shot_data_where_the_task_stood(tmp_path: Path) -> None:
    run = write_run(tmp_path / "here", 9, end="fewshot: {samples: 1, path: questions.jsonl}\n")
    moved = shutil.copytree(run, tmp_path / "elsewhere" / "run")
    assert Prompts.of(moved, read_record(moved)).reason == ""


def test_prompts_of_a_chat_are_turns(run: Path) -> None:
    task = load_task(run / "task.yaml")
    (rows,) = read_rows(run / "samples.parquet", 100)
    shown = Prompts(Prompter.of(task), chat=True).of_row(rows[30], json.loads(rows[30]["fields"]))
    (turn,) = shown["turns"]
    assert turn["role"] == "user"
    assert turn["content"].endswith(f"{SAYS[0]}\n")


def test_a_sample_whose_prompt_does_not_fit_says_so_alone(run: Path) -> None:
    task = load_task(run / "task.yaml")
    (rows,) = read_rows(run / "samples.parquet", 100)
    prompts = Prompts(Prompter.of(task), retrieves=True)
    assert "does not fit this sample" in prompts.of_row(rows[30], {})["reason"]
    assert prompts.of_row({**rows[30], "contexts": None}, {})["reason"] == "There was no prompt: nothing was retrieved."


def test_a_run_without_its_task_is_shown_all_the_same(tmp_path: Path) -> None:
    run = write_run(tmp_path, 9)
    (run / "task.yaml").unlink()
    texts = [sample for part in pieces(write_view(run).read_text(encoding="utf-8"), "texts") for sample in part]
    assert len(texts) == 9
    assert texts[0]["prompt"]["reason"].startswith("The prompts cannot be rendered again: ")


def test_the_page_says_what_scores_do_not_cover_and_shows_their_distributions(page: str) -> None:
    assert "unmeasured, no reference" in page
    assert "the interval rests on" in page
    assert page.count('data-chart="distribution-') == 5


def test_repeats_are_rows_of_their_own_and_a_stopped_run_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path, 40, more="", overrides=["repeats=2"], until="token_f1 ±0.4")
    page = write_view(run).read_text(encoding="utf-8")
    rows = meta(page)["samples"]
    ids = [name for part in pieces(page, "index") for name in part["id"]]
    assert rows == len(ids) == 2 * len(set(ids))
    assert [part["repeat"][:4] for part in pieces(page, "index")] == [[0, 1, 0, 1]]
    assert f'<span class="num">{rows}</span> with repeats' in page
    assert "token_f1 ±0.4 reached. The interval of token_f1 allows for looking" in page


def test_fields_of_the_same_values_are_slices_of_their_own_where_they_cut_otherwise() -> None:
    slices = Slices()
    columns = zip("aabbab", "xxyyxy", "abbaab", strict=True)
    slices.add([{"one": one, "renamed": renamed, "other": other} for one, renamed, other in columns])
    assert list(slices.found()) == ["one", "other"]


def test_slices_are_fields_of_few_values_each_cut_once(page: str) -> None:
    found = meta(page)["slices"]
    assert set(found) == {"kind", "topic"}
    assert HOSTILE["script"] in found["kind"]


def test_a_field_with_too_many_or_long_values_is_given_up() -> None:
    slices = Slices()
    rows = [{"id": number, "kind": "ab"[number % 2], "long": "x" * 101, "score": 0.5} for number in range(MOST_VALUES + 1)]
    first = slices.add(rows[:10])
    assert first == {"id": list(range(1, 11)), "kind": [1, 2] * 5}
    assert set(slices.add([*rows[10:], {"kind": None}])) == {"kind"}
    assert slices.found() == {"kind": ["a", "b"]}


def test_a_piece_holds_few_lines_and_few_characters() -> None:
    lines = ["1"] * (CHUNK_ROWS + 2) + [f'"{"x" * 600_000}"', "2", "3"]
    found = list(cut(iter(lines)))
    assert [start for start, _ in found] == [0, CHUNK_ROWS, CHUNK_ROWS + 2, CHUNK_ROWS + 3]
    assert [each for _, text in found for each in json.loads(text)] == [json.loads(line) for line in lines]
    assert list(cut(iter(()))) == []


def test_a_record_without_texts_is_shown_without_them(tmp_path: Path, run: Path) -> None:
    bare = shutil.copytree(run, tmp_path / "bare")
    write_without_texts(run / "samples.parquet", bare / "samples.parquet")
    page = write_view(bare).read_text(encoding="utf-8")
    texts = [sample for part in pieces(page, "texts") for sample in part]
    assert {sample["prompt"]["reason"] for sample in texts} == {"The texts of this record were left out."}
    assert {sample["response"] for sample in texts} == {None}
    assert texts[30]["statistics"]["faithfulness"] is not None


def test_samples_that_lack_a_column_are_explained(tmp_path: Path, run: Path) -> None:
    broken = shutil.copytree(run, tmp_path / "broken")
    table = parquet.read_table(run / "samples.parquet").drop_columns(["fields"])
    parquet.write_table(table, broken / "samples.parquet")
    with pytest.raises(DataError, match="has no column 'fields', which a run writes"):
        write_view(broken)


def test_what_is_no_run_is_explained(tmp_path: Path, run: Path) -> None:
    with pytest.raises(DataError, match=r"is no finished run: it has no record\.json"):
        write_view(tmp_path)
    shutil.copyfile(run / "record.json", tmp_path / "record.json")
    with pytest.raises(DataError, match=r"is no finished run: it has no samples\.parquet"):
        write_view(tmp_path)


def test_a_page_that_cannot_be_written_leaves_nothing(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write to"):
        write_view(run, tmp_path / "nowhere" / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_no_samples_has_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path, 9)
    table = parquet.read_table(run / "samples.parquet")
    parquet.write_table(table.slice(0, 0), run / "samples.parquet")
    assert meta(write_view(run).read_text(encoding="utf-8"))["samples"] == 0


def test_the_same_run_gives_the_same_page(run: Path, tmp_path: Path) -> None:
    pages = [write_view(run, tmp_path / f"{number}.html").read_bytes() for number in range(2)]
    assert pages[0] == pages[1]
