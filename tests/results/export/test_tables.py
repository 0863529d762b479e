"""Markdown and LaTeX tables: what they say, and that any name comes out as it is."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evalharness.results import Record, read_record
from evalharness.results.export import latex, markdown
from evalharness.results.export.names import visible
from tests.results.conftest import HOSTILE, Runs

Make = Callable[..., Record]
UNESCAPED = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<",
    r"\textgreater{}": ">", r"\textbar{}": "|", r"\textasciigrave{}": "`", r"\textquotesingle{}": "'",
    r"\textquotedbl{}": '"', "{[}": "[", "{]}": "]", "{*}": "*", r"$\uparrow$": "↑", r"$\downarrow$": "↓",
    r"\textendash{}": "–", r"\{": "{", r"\}": "}", r"\&": "&", r"\%": "%", r"\$": "$", r"\#": "#", r"\_": "_", "{}": "",
}  # fmt: skip


def cells(table: str) -> list[list[str]]:
    """Return the cells of a Markdown table as a reader sees them."""
    rendered = MarkdownIt("commonmark").enable("table").render(table)
    rows = re.findall(r"<tr>(.*?)</tr>", rendered, re.DOTALL)
    return [[shown(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def shown(rendered: str) -> str:
    assert "<" not in rendered, "nothing of a name may become an element"
    return html.unescape(rendered)


def test_one_run_has_value_interval_and_samples_with_the_direction(make_record: Make) -> None:
    text = markdown.text([make_record(score="wer", better="lower", value=0.25, low=0.125, high=None)])
    assert cells(text) == [["score", "system", "samples"], ["wer ↓", "0.250", "1,200"]]
    assert "task: values with 95 % intervals; ↓ lower is better" in text
    assert cells(markdown.text([make_record()]))[1] == ["f1 ↑", "0.500 (0.250 to 0.750)", "1,200"]


def test_runs_stand_side_by_side_and_what_one_lacks_is_a_dash(make_record: Make) -> None:
    nothing = make_record(system="b", score="bleu", value=None, low=None, high=None, reason="nothing was measured")
    text = markdown.text([make_record(system="a"), nothing])
    assert cells(text) == [
        ["score", "a", "samples", "b", "samples"],
        ["f1 ↑", "0.500 (0.250 to 0.750)", "1,200", "–", "–"],
        ["bleu ↑", "–", "–", "–", "1,200"],
    ]
    assert "- b, all scores: no value: nothing was measured" in text


def test_runs_of_one_name_are_numbered_and_tasks_are_named_where_there_are_several(make_record: Make) -> None:
    one, other = make_record(system="a"), make_record(system="a", task="other")
    assert cells(markdown.text([one, one]))[0] == ["score", "a (1)", "samples", "a (2)", "samples"]
    assert cells(markdown.text([one, other]))[0] == ["score", "a, task", "samples", "a, other", "samples"]


def test_what_is_not_in_a_number_is_told_beneath(make_record: Make) -> None:
    text = markdown.text([make_record(unmeasured={"no reference": 3}, errors=2)])
    assert "- system, all scores: 3 unmeasured, no reference\n" in text
    assert "- system, all scores: 2 lost to errors and excluded\n" in text
    assert "- " not in markdown.text([make_record()]).replace("---", "")


def test_numbers_of_two_kinds_side_by_side_are_told(make_record: Make) -> None:
    text = markdown.text([make_record(signature="f1|a"), make_record(signature="f1|b")])
    assert "f1: measured in 2 different ways (f1\\|a; f1\\|b)" in text


def test_a_real_run_has_all_its_scores_and_notes(runs: Runs) -> None:
    text = markdown.text([read_record(runs.loud), read_record(runs.quiet)])
    assert [row[0] for row in cells(text)] == ["score", "exact_match ↑", "token_f1 ↑", "bleu ↑"]
    assert "loud, all scores: 1 unmeasured, no reference" in text
    assert "8 groups only" in text


def test_a_number_is_left_as_it_is_where_it_begins_no_list() -> None:
    assert [markdown.escaped(text) for text in ("0.247", "1.", "1) x")] == ["0.247", "1\\.", "1\\) x"]


@given(st.text(max_size=40))
@example(HOSTILE)
@example("1. x")
@example("1.")
@example("0.247")
@example("http://x.example/y")
@example("&amp; &lt;")
@example("\\|\\")
def test_any_name_comes_out_of_markdown_as_it_is(name: str) -> None:
    (row,) = cells(f"| a |\n| --- |\n| .{markdown.escaped(name)}. |\n")[1:]
    assert row == [f".{visible(name)}."]
    rendered = MarkdownIt("commonmark").render(markdown.escaped(name))
    assert shown(rendered.removeprefix("<p>").removesuffix("</p>\n")) == visible(name)


@given(st.text(max_size=40))
@example(HOSTILE)
def test_any_name_is_text_to_latex(name: str) -> None:
    pattern = "|".join(re.escape(command) for command in sorted(UNESCAPED, key=len, reverse=True))
    escaped = latex.escaped(name)
    assert re.sub(pattern, lambda match: UNESCAPED[match[0]], escaped) == visible(name)
    rest = re.sub(pattern, "", escaped)
    assert not set(rest) & set("\\{}&%$#_~^<>|`'\"[]*")
    assert "--" not in escaped
    assert ",," not in escaped


def test_nothing_in_a_name_is_hidden() -> None:
    assert visible("a\u202eb\u2066c\x00d\ud800") == "a<U+202E>b<U+2066>c<U+0000>d<U+D800>"
    assert visible(" one\n\u2028two\tthree ") == "one two three"


def test_a_latex_table_has_the_rules_of_booktabs_and_one_line_a_score(make_record: Make) -> None:
    text = latex.text([make_record(system="a_b", errors=1), make_record(system="[c]")])
    lines = text.splitlines()
    assert r"  \begin{tabular}{lrrrr}" in lines
    assert r"    score & a\_b & samples & {[}c{]} & samples \\" in lines
    assert r"    f1 $\uparrow$ & 0.500 (0.250 to 0.750) & 1,200 & 0.500 (0.250 to 0.750) & 1,200 \\" in lines
    assert [rule for rule in ("toprule", "midrule", "bottomrule") if f"    \\{rule}" in lines] == [
        "toprule",
        "midrule",
        "bottomrule",
    ]
    assert r"  \par\smallskip{\footnotesize a\_b, all scores: 1 lost to errors and excluded}" in lines
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("write", [markdown.text, latex.text])
def test_hostile_names_keep_the_shape_of_the_table(write: Any, make_record: Make) -> None:
    plain = write([make_record(), make_record(system="b")])
    hostile = write(
        [make_record(task=HOSTILE, system=HOSTILE, score=HOSTILE), make_record(task=HOSTILE, system="b", score=HOSTILE)]
    )
    assert len(hostile.splitlines()) == len(plain.splitlines())
    assert "\u202e" not in hostile
