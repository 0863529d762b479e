"""Folder names: every name gives one that every platform takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.leaderboard.names import DEVICES, slug


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("dense-smollm2", "dense-smollm2"),
        ("Dense+SmolLM2", "dense+smollm2"),
        ("../x", "x"),
        ("..\\..\\x", "x"),
        ("/etc/passwd", "etc-passwd"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("\u202egnp.exe", "gnp.exe"),
        ("CON", "x-con"),
        ("lpt1.txt", "x-lpt1.txt"),
        ("ends with a dot.", "ends-with-a-dot"),
        ("Zoë", "zoe"),
    ],
)
def test_hostile_names_become_plain_folders(name: str, folder: str) -> None:
    assert slug(name) == folder


def test_long_names_and_names_without_a_letter_are_told_apart_by_a_mark() -> None:
    long = slug("a" * 10_000)
    assert len(long) == 64
    assert long != slug("a" * 10_001)
    assert slug("模型一") != slug("模型二")
    assert slug("")
    assert slug("...")


@given(st.text(max_size=200))
def test_any_text_gives_a_safe_folder(name: str) -> None:
    found = slug(name)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9._+-]*[a-z0-9])?", found)
    assert len(found) <= 66
    assert found.partition(".")[0] not in DEVICES
    assert slug(found) == found or found.startswith("x-") or len(found) > 64
