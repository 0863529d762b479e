"""Goals: how they are written, and which scores can have one."""

from __future__ import annotations

from pathlib import Path

import pytest

import evalharness as eh
from evalharness.errors import UsageError
from evalharness.running.goals import Decision, Width, read_goal
from evalharness.scoring import Chain

CHAIN = Chain.build(
    [
        (None, eh.load_metric("bleu")),
        (None, eh.load_metric("token_f1")),
        (None, eh.load_metric("retrieval_recall", k=(1, 5))),
        (None, eh.load_metric("perplexity", of="references")),
    ]
)


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("token_f1 ±0.02", Width("token_f1", 0.02)),
        ("token_f1 +-0.02", Width("token_f1", 0.02)),
        ("  token_f1±.02 ", Width("token_f1", 0.02)),
        ("token_f1 ± 2e-2", Width("token_f1", 0.02)),
        ("token_f1 +/- 0.02", Width("token_f1", 0.02)),
        ("token_f1 + - 0.02", Width("token_f1", 0.02)),
        ("token_f1+/-.02", Width("token_f1", 0.02)),
        ("retrieval_recall@5 ±0.1", Width("retrieval_recall@5", 0.1)),
    ],
)
def test_a_score_and_a_half_width(text: str, goal: Width) -> None:
    read = read_goal(text, None, CHAIN)
    assert read == goal
    assert read_goal(str(read), None, CHAIN) == goal


def test_a_run_and_a_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_goal(None, "runs/a", CHAIN) == Decision("token_f1", Path("runs/a"))
    assert read_goal(None, Path("runs/a"), CHAIN) == Decision("token_f1", Path("runs/a"))
    assert read_goal(None, "runs/a on retrieval_recall@1", CHAIN) == Decision("retrieval_recall@1", Path("runs/a"))
    monkeypatch.chdir(tmp_path)
    Path("an eye on it").mkdir()
    assert read_goal(None, "an eye on it", CHAIN) == Decision("token_f1", Path("an eye on it"))
    assert read_goal(None, "an eye on it on token_f1", CHAIN) == Decision("token_f1", Path("an eye on it"))
    assert read_goal(None, None, CHAIN) is None


def test_a_record_names_the_run_that_it_stands_in(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_text("{}")
    assert read_goal(None, record, CHAIN) == read_goal(None, tmp_path, CHAIN) == Decision("token_f1", tmp_path)
    assert read_goal(None, f"{record} on retrieval_recall@5", CHAIN) == Decision("retrieval_recall@5", tmp_path)


KNOWN = "The scores of this task that are means within a known range: token_f1, retrieval_recall@1, retrieval_recall@5."


@pytest.mark.parametrize(
    ("until", "decided", "message"),
    [
        ("token_f1 ±0.02", "runs/a", "give --until or --until-decided, not both"),
        ("token_f1 0.02", None, "no goal; write a score and a half width, for example: --until 'token_f1 ±0.02'"),
        ("±0.02", None, "is no goal"),
        ("token_f1 ±-0.02", None, "is no goal"),
        ("token_f1 ±nan", None, "is no goal"),
        ("token_f1 ±0", None, "the half width must lie between 0 and 0.5, half the range of 'token_f1'"),
        ("token_f1 ±0.5", None, "must lie between 0 and 0.5"),
        ("tokn_f1 ±0.02", None, f"a run cannot be stopped by 'tokn_f1'. Did you mean 'token_f1'? {KNOWN}"),
        ("bleu ±2", None, f"a run cannot be stopped by 'bleu'. {KNOWN}"),
        ("perplexity ±2", None, "a run cannot be stopped by 'perplexity'."),
        (None, "runs/a on bleu", f"a run cannot be stopped by 'bleu'. {KNOWN}"),
    ],
)
def test_what_cannot_be_a_goal_is_explained(until: str | None, decided: str | None, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_goal(until, decided, CHAIN)
    assert message in str(raised.value)


@pytest.mark.parametrize("goal", [("bleu ±2", None), (None, "runs/a")])
def test_a_task_without_a_bounded_mean_has_no_goal(goal: tuple[str | None, str | None]) -> None:
    with pytest.raises(UsageError, match="this task has none"):
        read_goal(*goal, Chain.build([(None, eh.load_metric("bleu"))]))
