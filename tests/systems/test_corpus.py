from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalharness as eh


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_jsonl_and_csv_of_one_corpus_give_equal_passages(tmp_path: Path) -> None:
    rows = [("a", "one, two"), ("b", 'he said "no"\nand left'), ("ü", "日本語 🙂"), ("d", "")]
    lines = "".join(json.dumps({"id": key, "text": text, "source": 3}) + "\n" for key, text in rows)
    quoted = "".join('{},"{}"\r\n'.format(key, text.replace('"', '""')) for key, text in rows)
    first = eh.read_corpus(written(tmp_path, "c.jsonl", "\ufeff" + lines + "\n  \n"))
    second = eh.read_corpus(str(written(tmp_path, "c.csv", "\ufeffid,text\r\n" + quoted)))
    assert first == second == [eh.Passage(key, text) for key, text in rows]
    assert eh.corpus_digest(first) == eh.corpus_digest(second)


def test_title_stands_on_a_line_before_the_text(tmp_path: Path) -> None:
    path = written(tmp_path, "c.jsonl", '{"id": 7, "title": "Tides", "text": "Water."}\n{"id": "8", "title": "", "text": "x"}\n')
    assert eh.read_corpus(path) == [eh.Passage("7", "Tides\nWater."), eh.Passage("8", "x")]


def test_digest_depends_on_order_ids_and_texts() -> None:
    passages = [eh.Passage("a", "one"), eh.Passage("b", "two", score=1.0)]
    others = [passages[::-1], passages[:1], [eh.Passage("a", "one"), eh.Passage("b", "twos")], [eh.Passage("a", 'one"]["b')]]
    assert len({eh.corpus_digest(other) for other in [passages, *others]}) == 5
    assert eh.corpus_digest(passages) == eh.corpus_digest([eh.Passage("a", "one"), eh.Passage("b", "two")])
    assert eh.corpus_digest([eh.Passage("a", "\ud800")])


def test_all_faults_of_a_jsonl_file_are_listed_with_their_lines(tmp_path: Path) -> None:
    lines = [
        b'{"id": "a", "text": "x"}', b'{"id": "b", "text": ', b'{"text": "x"}', b'{"id": "c"}', b'{"id": "a", "text": "y"}',
        b'["id"]', b'{"id": "d", "text": "\xff"}', b'{"id": true, "text": ""}', b'{"id": "e", "text": "x", "title": 3}',
    ]  # fmt: skip
    path = written(tmp_path, "c.jsonl", b"\n".join(lines))
    with pytest.raises(eh.DataError) as caught:
        eh.read_corpus(path)
    message = str(caught.value)
    places = {int(line.split(":")[1]) for line in message.splitlines()}
    assert places == set(range(2, 10))
    assert f"{path}:5: the id 'a' stands already in line 1" in message
    assert f"{path}:4: the field 'text' of passage 'c' is missing" in message


def test_all_faults_of_a_csv_file_are_listed_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "c.csv", b'id,text\na,"two\nlines"\na,again\nb\n,x\nc,\xff\nd,"open')
    with pytest.raises(eh.DataError) as caught:
        eh.read_corpus(path)
    message = str(caught.value)
    assert {int(line.split(":")[1]) for line in message.splitlines()} == {4, 5, 6, 7, 8}
    assert "the id 'a' stands already in line 2" in message


def test_csv_without_the_columns_says_which_is_missing(tmp_path: Path) -> None:
    with pytest.raises(eh.DataError, match=r"c\.csv:2: the field 'text' of passage 'a' is missing"):
        eh.read_corpus(written(tmp_path, "c.csv", "id,body\na,x\n"))


def test_long_lists_of_faults_are_cut_and_counted(tmp_path: Path) -> None:
    with pytest.raises(eh.DataError, match="and 70 more faults"):
        eh.read_corpus(written(tmp_path, "c.jsonl", "{}\n" * 120))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.jsonl", "", "holds no passage"),
        ("c.csv", "id,text\n", "holds no passage"),
        ("c.json", "[]", r"a corpus is a \.jsonl or \.csv file"),
        ("c.jsonl", None, "there is no such corpus file"),
    ],
)
def test_empty_missing_or_foreign_files_are_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name if content is None else written(tmp_path, name, content)
    with pytest.raises(eh.DataError, match=message):
        eh.read_corpus(path)
