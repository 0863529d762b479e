"""What goes along with a prompt beside text: images of the data, and the schema that an answer must satisfy."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from evalharness import DataError, Generate, Message, Sample
from evalharness.errors import FaultsFound
from evalharness.task import Prompter, load_task
from evalharness.task.images import image_urls
from evalharness.task.task import GenerateOptions

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TASK = """
name: seen
dataset: {path: data/samples.jsonl}
system:
  name: s
  model: echo
  generate: {max_tokens: 9%s}
metrics: [matching]
"""


def task_file(folder: Path, generate: str = "") -> Path:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "samples.jsonl").write_text('{"id": "a", "input": "What?", "references": ["x"]}\n', "utf-8")
    path = folder / "task.yaml"
    path.write_text(TASK % generate, "utf-8")
    return path


def test_a_file_beside_the_data_becomes_a_data_url_in_the_last_turn(tmp_path: Path) -> None:
    prompter = Prompter.of(load_task(task_file(tmp_path)))
    (tmp_path / "data" / "dot.png").write_bytes(b"\x89PNG")
    written = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
    sample = Sample("a", {"input": "What?", "images": ["dot.png", "https://example.org/b.jpg"]})
    expected = (Message("user", "What?", (written, "https://example.org/b.jpg")),)
    assert prompter.render(sample, chat=True) == expected
    # Text has no place for images: they are not lost, and a model of text is not asked.
    assert prompter.render(sample, chat=False) == expected
    assert Generate(prompt=expected).beside_text() == {"images"}


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ("a.png", "must be a list of URLs or paths"),
        ([1], "must be a list of URLs or paths"),
        (["lost.png"], "cannot be read from"),
        (["dot"], "name that tells its kind"),
    ],
)
def test_what_is_no_image_is_told(images: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        image_urls(images, tmp_path)


def test_a_path_without_a_folder_to_start_from_is_told() -> None:
    with pytest.raises(DataError, match="no folder in which a path could be looked up"):
        image_urls(["dot.png"], None)


def test_a_schema_is_kept_as_canonical_text_and_written_so_that_it_is_read_back(tmp_path: Path) -> None:
    task = load_task(task_file(tmp_path, f", json_schema: {json.dumps(SCHEMA)}"))
    text = task.system.generate.json_schema
    assert json.loads(str(text)) == SCHEMA
    assert GenerateOptions(json_schema=text) == GenerateOptions(max_tokens=256, json_schema=json.dumps(SCHEMA, indent=2))
    assert task.system.plain()["generate"]["json_schema"] == text
    assert Generate(prompt="x", json_schema=str(text)).beside_text() == {"json_schema"}


def test_without_a_schema_a_system_keeps_its_digest(tmp_path: Path) -> None:
    plain = load_task(task_file(tmp_path)).system.plain()
    assert "json_schema" not in plain["generate"]
    assert Generate(prompt="x").beside_text() == set()


@pytest.mark.parametrize("schema", ['"{"', '"[1]"', "[1]", "3"])
def test_what_is_no_schema_is_told_with_its_place(schema: str, tmp_path: Path) -> None:
    with pytest.raises(FaultsFound, match=r"task\.yaml:7:\d+: .*json_schema"):
        load_task(task_file(tmp_path, f", json_schema: {schema}"))
