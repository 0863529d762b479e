"""Every plugin of this repository keeps its contract; new ones are picked up from the registry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import evalharness as eh
from evalharness import registry
from evalharness.testing import check
from evalharness.testing.packages import class_outcomes

ENTRIES = [(kind, entry) for kind in registry.BASES for entry in registry.installed().classes(kind)]
OURS = [(kind, entry.cls) for kind, entry in ENTRIES if entry.source.distribution == "evalharness"]


def test_every_package_loads() -> None:
    assert not {source: why for source, why in registry.installed().broken.items() if source.distribution == "evalharness"}


def test_metrics_models_retrievers_and_data_sets_are_there() -> None:
    assert {"metric", "model", "retriever", "dataset"} <= {kind for kind, _ in OURS}


@pytest.mark.parametrize(("kind", "cls"), OURS, ids=[f"{kind}-{cls.name}" for kind, cls in OURS])
def test_it_keeps_its_contract(kind: str, cls: Any) -> None:
    failed = [str(outcome) for outcome in class_outcomes(cls) if outcome.status == "failed"]
    assert not failed, "\n" + "\n".join(failed)


def test_recorded_responses_keep_the_contract_of_a_model(tmp_path: Path) -> None:
    requests = [eh.Generate(prompt=text, sample=str(number)) for number, text in enumerate(("one", "two", ""))]
    lines = [eh.canonical({"id": request.sample, "response": f"answer {request.sample}"}) for request in requests]
    path = tmp_path / "responses.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    check(eh.load_model("recorded", path=str(path)), requests)


def test_files_keep_the_contract_of_a_data_set(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"id": "1", "input": "a"}\n\nnot json\n{"id": "2", "input": "🙂"}\n', encoding="utf-8")
    registered = registry.installed().entries["dataset"]
    taking_paths = [entry.cls for entry in registered.values() if "path" in {item.name for item in entry.cls.option_fields()}]
    local = [cls for cls in taking_paths if not _is_remote(cls)]
    assert local
    for cls in local:
        check(registry.make("dataset", cls, {"path": str(path)}))


def _is_remote(cls: Any) -> bool:
    return "revision" in {item.name for item in cls.option_fields()}


def test_the_tests_of_this_module_may_not_reach_a_hub() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
