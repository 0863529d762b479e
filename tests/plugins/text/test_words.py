"""The words that overlap is counted in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from evalharness_text.words import ascii_lines, stem, stems, unicode_lines
from rouge_score.tokenizers import DefaultTokenizer


def test_stems_of_real_words_equal_rouge_score(labelled_data: Callable[[str], Path]) -> None:
    text = labelled_data("wikitext2_valid/valid.txt").read_text("utf-8")[:200_000]
    found = [word for line in ascii_lines(text) for word in stems(line)]
    assert found == DefaultTokenizer(use_stemmer=True).tokenize(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\u3000\n", []),
        ("don't snake_case 3.5", ["don", "t", "snake", "case", "3", "5"]),
        ("東京tower２０", ["東", "京", "tower20"]),
        ("サーバー", ["サ", "ー", "バ", "ー"]),
        ("ｶﾞ", ["ガ"]),
        ("人々〇ㄅ", ["人", "々", "〇", "ㄅ"]),
        ("대한민국 만세", ["대한민국", "만세"]),
        ("e\u0301t\u00e9", ["été"]),
        ("हिन्दी", ["हिन्दी"]),
        ("می\u200cخواهم co\u00adoperate a\u200bb", ["میخواهم", "cooperate", "a", "b"]),
        ("\u202bשלום, עולם\u202c", ["שלום", "עולם"]),
        ("👩‍👩‍👧 family 🙂", ["family"]),
        ("ΟΔΟΣ Οδός", ["οδος", "οδός"]),
        ("İstanbul", ["i\u0307stanbul"]),
    ],
)
def test_unicode_words(text: str, words: list[str]) -> None:
    assert [word for line in unicode_lines(text) for word in line] == words


def test_lines_without_words_are_left_out() -> None:
    assert unicode_lines("a\n\n!\r\nb c") == ascii_lines("a\n\n!\r\nb c") == [["a"], ["b", "c"]]


def test_stems_are_kept() -> None:
    stem("stemming")
    hits = stem.cache_info().hits
    assert stem("stemming") == "stem"
    assert stem.cache_info().hits == hits + 1
