"""Pages: what may run on them, that values stay text, and that vendored files are what their notes say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from evalharness.pages.render import ASSETS, JSTAT, TABULATOR, VEGA, environment, inlined, json_text, linked, write_assets

VENDOR = sorted(path for path in (ASSETS / "vendor").iterdir())


@pytest.mark.parametrize("folder", VENDOR, ids=lambda path: path.name)
def test_every_library_has_licence_version_and_checksum(folder: Path) -> None:
    note = (folder / "SOURCE").read_text(encoding="utf-8")
    assert f"package: {folder.name}\n" in note
    assert re.search(r"^version: \d+\.\d+\.\d+$", note, re.MULTILINE)
    assert (
        "Permission is hereby granted" in (text := (folder / "LICENSE").read_text(encoding="utf-8")) or "Redistribution" in text
    )
    listed = re.findall(r"file: (\S+)\nsha256: \w+ as published\nsha256: (\w+) here", note)
    assert {Path(name).name for name, _ in listed} == {path.name for path in folder.iterdir()} - {"SOURCE", "LICENSE"}
    for name, digest in listed:
        assert hashlib.sha256((folder / Path(name).name).read_bytes()).hexdigest() == digest


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "a\u2028b\u2029c",
    "&lt;",
    '"quoted"',
    float("nan"),
    {"<k>": [1, None]},
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_json_in_a_script_element_ends_nothing_and_says_the_same(value: object) -> None:
    text = json_text(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == (None if value != value else value)


def test_templates_escape_and_miss_nothing_silently() -> None:
    made = environment()
    assert made.from_string("{{ name }}").render(name="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        made.from_string("{{ nothing }}").render()


def test_a_page_with_linked_assets_runs_its_own_files_only() -> None:
    shell = linked("../", (TABULATOR,))
    assert "script-src 'self'; style-src 'self'" in shell.policy
    assert f'<script src="../assets/{TABULATOR}" defer></script>' in shell.scripts
    assert 'href="../assets/css/evalharness.css"' in shell.styles


def test_a_page_of_one_file_names_the_hash_of_every_script_and_style() -> None:
    shell = inlined(("js/dom.js", *VEGA, JSTAT))
    blocks = re.findall(r"<(script|style)>(.*?)</\1>", f"{shell.styles}{shell.first}{shell.scripts}", re.DOTALL)
    assert len(blocks) == 2 + 1 + 5
    for _, text in blocks:
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in shell.policy
    assert "unsafe" not in shell.policy


def test_assets_come_with_the_notes_of_their_libraries(tmp_path: Path) -> None:
    written = write_assets(tmp_path, (TABULATOR, "js/dom.js"))
    names = {path.relative_to(tmp_path / "assets").as_posix() for path in written}
    assert {"vendor/tabulator-tables/LICENSE", "vendor/tabulator-tables/SOURCE", TABULATOR, "js/dom.js", "js/theme.js"} <= names
    assert not any(name.startswith("vendor/vega") for name in names)
    assert all(path.is_file() for path in written)


def test_scripts_never_set_markup_from_data() -> None:
    for path in (ASSETS / "js").rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML\s*\+?=|insertAdjacentHTML|document\.write|\beval\(|new Function", text), path.name


USAGE = {"requests": 0, "from_store": 180, "input_tokens": 0, "output_tokens": 0, "seconds": 0.4}


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (
            {**USAGE, "responses": {"input_tokens": 87760, "output_tokens": 1119}},
            "180 answered from the store · responses of 87,760 tokens in, 1,119 out",
        ),
        (
            {**USAGE, "requests": 20, "from_store": 160, "responses": {"input_tokens": 9, "output_tokens": 8}},
            "20 requests, 160 answered from the store · responses of 9 tokens in, 8 out",
        ),
        (
            {"requests": 5, "from_store": 0, "input_tokens": 4, "output_tokens": 3},
            "5 requests · responses of 4 tokens in, 3 out",
        ),
    ],
)
def test_tokens_are_those_of_all_responses_whoever_asked_for_them(usage: dict[str, object], said: str) -> None:
    template = environment().from_string('{% from "macros.html" import spent %}{{ spent(usage) }}')
    assert " ".join(re.sub(r"<[^>]+>", "", template.render(usage=usage)).split()) == said
