from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from evalharness_retrieval.trec import read_qrels, read_run, write_qrels, write_run

import evalharness as eh


def test_qrels_and_runs_are_read(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("# judged in 1999\n301 0 d1 2\n301\t0  d2\t-1\n\n302 0 d1 0\n", encoding="utf-8")
    (tmp_path / "run.txt").write_text("301 Q0 d2 1 0.5 tag and more\n301 Q0 ü 2 1e-3 tag\n", encoding="utf-8")
    qrels, run = read_qrels(tmp_path / "qrels.txt"), read_run(tmp_path / "run.txt")
    assert (qrels.numbers, qrels.lines) == ({"301": {"d1": 2, "d2": -1}, "302": {"d1": 0}}, {"301": 2, "302": 5})
    assert run.numbers == {"301": {"d2": 0.5, "ü": 0.001}}


def test_only_blanks_of_ascii_separate_columns(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("1 Q0 d\u00a01\u3000a 3 0.5 tag\r\n", encoding="utf-8")
    assert read_run(tmp_path / "run.txt").numbers == {"1": {"d\u00a01\u3000a": 0.5}}


@pytest.mark.parametrize("name", ["written.txt", "written.txt.gz"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    qrels, run = {"1": {"a": 1, "b": 0}}, {"1": {"a": 0.1, "c": 1 / 3, "b": 0.1}}
    write_qrels(qrels, tmp_path / name)
    assert read_qrels(tmp_path / name).numbers == qrels
    write_run(run, tmp_path / name, "mine")
    assert read_run(tmp_path / name).numbers == run
    raw = (tmp_path / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    assert text == "1 Q0 c 1 0.3333333333333333 mine\n1 Q0 b 2 0.1 mine\n1 Q0 a 3 0.1 mine\n"


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text("1 0 a 1\n1 0 a\n1 0 b x\n1 0 a 0\n1 0 a 1\n2 0 b 1.5\n", encoding="utf-8")
    with pytest.raises(eh.DataError) as caught:
        read_qrels(path)
    assert str(caught.value).splitlines() == [
        f"{path}:2: 3 columns in place of 4: topic iteration document grade",
        f"{path}:3: the grade must be a whole number, not 'x'",
        f"{path}:4: document 'a' stands twice in topic '1', with 1 and 0",
        f"{path}:5: document 'a' stands twice in topic '1', with 1 and 1",
        f"{path}:6: the grade must be a whole number, not '1.5'",
    ]


def test_a_run_with_faults_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text("1 Q0 a 1 nan t\n1 Q0 b 2 high t\n1 Q0 c 3 1.0\n1 Q0 d 4 2 t\n1 Q0 d 5 1 t\n", encoding="utf-8")
    with pytest.raises(eh.DataError) as caught:
        read_run(path)
    assert [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()] == [
        "1: the score must be a number, not 'nan'",
        "2: the score must be a number, not 'high'",
        "3: 5 columns in place of 6: topic Q0 document rank score tag",
        "5: document 'd' stands twice in topic '1', with 2.0 and 1.0",
    ]


def test_empty_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "qrels.gz"
    path.write_bytes(gzip.compress(b"# nothing\n"))
    with pytest.raises(eh.DataError, match="is empty; a line is: topic iteration document grade"):
        read_qrels(path)
    path.write_bytes(gzip.compress(b"1 0 a 1\n")[:-12] + b"broken bytes")
    with pytest.raises(eh.DataError, match="cannot be read"):
        read_qrels(path)
    path.write_bytes(b"1 0 a 1\n")
    with pytest.raises(eh.DataError, match="cannot be read"):
        read_qrels(path)
    with pytest.raises(eh.DataError, match="cannot be read"):
        read_run(tmp_path / "absent.txt")
    (tmp_path / "latin").write_bytes("1 0 ü 1\n".encode("latin-1"))
    with pytest.raises(eh.DataError, match="cannot be read"):
        read_qrels(tmp_path / "latin")


def test_many_faults_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text("broken\n" * 30, encoding="utf-8")
    with pytest.raises(eh.DataError, match="and 10 more faults"):
        read_qrels(path)


def test_a_run_in_place_of_judgements_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("1 Q0 a 1 3.5 tag\n")
    with pytest.raises(eh.DataError, match=r"run.txt:1: this is a line of a run .*, not of judgements: topic iteration"):
        read_qrels(tmp_path / "run.txt")
