"""Data sets on the Hub: a local folder stands in for it, since tests open no network connection."""

# ruff: noqa: E501  (messages stand here as users read them)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
from evalharness_data import hub
from evalharness_data.hub import Hub

import evalharness as eh

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    yield
    hub._builder.cache_clear()
    hub._rows.cache_clear()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Serve `owner/name` from a folder, at the commit COMMIT; gives the calls that were made."""
    folder = tmp_path / "name"
    folder.mkdir()
    (folder / "test.jsonl").write_text(
        '{"id": "a", "day": "2024-02-29", "refs": ["x"]}\n{"id": "b", "day": "2024-03-01", "refs": []}\n'
    )
    (folder / "train.jsonl").write_text('{"id": "t", "day": "2024-03-02", "refs": ["y"]}\n')
    real, calls = datasets.load_dataset_builder, []

    def load_dataset_builder(path: str, config: str | None, revision: str | None) -> Any:
        calls.append({"path": path, "config": config, "revision": revision})
        builder = real(str(folder), config, cache_dir=str(tmp_path / "cache"))
        builder.hash = COMMIT
        return builder

    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    return calls


def test_the_rows_of_a_split_are_items(stand_in: list[dict[str, Any]]) -> None:
    found = Hub(path="owner/name", revision=COMMIT)
    assert [item.fields["id"] for item in found.items()] == ["a", "b"]
    assert next(found.items()).where == "owner/name@01234567/test:row 1"
    assert [item.fields["id"] for item in Hub(path="owner/name", split="train", revision=COMMIT).items()] == ["t"]
    assert stand_in[0] == {"path": "owner/name", "config": None, "revision": COMMIT}


def test_a_pinned_revision_warns_of_nothing(stand_in: list[dict[str, Any]], caplog: pytest.LogCaptureFixture) -> None:
    assert Hub(path="owner/name", revision=COMMIT).commit() == COMMIT
    assert caplog.text == ""


@pytest.mark.parametrize("revision", [None, "main", "v1.0"])
def test_an_unpinned_revision_warns_and_tells_the_commit(
    revision: str | None, stand_in: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    found = Hub(path="owner/name", revision=revision)
    assert found.commit() == COMMIT
    assert (
        f"the revision '{revision or 'main'}' may change; for a result that can be repeated write  revision: {COMMIT}"
        in caplog.text
    )


def test_the_digest_follows_commit_config_and_split(stand_in: list[dict[str, Any]]) -> None:
    pinned = Hub(path="owner/name", revision=COMMIT).digest()
    assert pinned == Hub(path="owner/name").digest()
    assert pinned != Hub(path="owner/name", split="train", revision=COMMIT).digest()


def test_another_commit_than_the_pinned_one_is_refused(stand_in: list[dict[str, Any]]) -> None:
    with pytest.raises(
        eh.DataError, match=f"owner/name: the commit {'f' * 40} is not on this machine .but {COMMIT} is.; run once online"
    ):
        list(Hub(path="owner/name", revision="f" * 40).items())


def test_an_unknown_split_is_an_error_that_names_those_there_are(stand_in: list[dict[str, Any]]) -> None:
    with pytest.raises(eh.DataError, match=r"owner/name: Unknown split \"dev\"\. Should be one of \['train', 'test'\]"):
        list(Hub(path="owner/name", split="dev", revision=COMMIT).items())


def test_a_hub_that_cannot_be_reached_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(eh.DataError) as caught:
        list(Hub(path="owner/name", revision=COMMIT).items())
    assert str(caught.value).startswith(
        "owner/name: not on this machine, and the Hub cannot be reached. Fetch it once where there is a network, or give a local file."
    )


def test_offline_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)  # restored at the end
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    with pytest.raises(eh.DataError, match=r"not on this machine, and the network may not be used \(--offline\)"):
        Hub(path="owner/name", revision=COMMIT).digest()
    assert datasets.config.HF_HUB_OFFLINE
