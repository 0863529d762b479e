"""Local files are read item by item, with the place of everything that cannot be read."""

from __future__ import annotations

import datetime
import decimal
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from evalharness_data.files import Files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import evalharness as eh


def files(path: Path, **options: Any) -> Files:
    return Files(path=eh.File(str(path)), **options)


def read(path: Path, **options: Any) -> list[Any]:
    """Return the fields of good items and `place: fault` of others, the place without the folder."""
    folder = f"{path if path.is_dir() else path.parent}/"
    return [
        f"{item.where}: {item.fault}".replace(folder, "") if item.fault else item.fields
        for item in files(path, **options).items()
    ]


def written(tmp_path: Path, name: str, content: bytes | str) -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_jsonl_is_read_line_by_line(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"id": "a", "n": [1, 2.5, null]}\r\n\n   \n{"id": "\xe6\x97\xa5", "x": {"y": "\\ud83d\\ude00"}}'
    path = written(tmp_path, "q.jsonl", content)
    assert read(path) == [{"id": "a", "n": [1, 2.5, None]}, {"id": "日", "x": {"y": "😀"}}]
    assert [item.where for item in files(path).items()] == [f"{path}:1", f"{path}:4"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"id": "b"', "broken JSON: Expecting ',' delimiter in column 11"),
        (b"{'id': 'b'}", "broken JSON: Expecting property name enclosed in double quotes in column 2"),
        (b'{"id": "caf\xe9"}', "not UTF-8: invalid continuation byte at byte 12 of the line"),
        (b'["id"]', 'a line must hold one object, such as {"id": "q1", "input": "..."}'),
        (b"null", 'a line must hold one object, such as {"id": "q1", "input": "..."}'),
        (b'{"x": NaN}', "broken JSON: NaN is no JSON value; write null"),
        (b'{"x": -Infinity}', "broken JSON: -Infinity is no JSON value; write null"),
        (b'{"x": "\\ud83d"}', "an escape \\ud... stands for half a character; write both halves or the character itself"),
        (b"[" * 100_000, "broken JSON: nested too deeply"),
        (b'{"x": ' + b"9" * 5000 + b"}", "broken JSON: Exceeds the limit (4300 digits) for integer string conversion"),
        (b"\x00", "broken JSON: Expecting value in column 1"),
    ],
)
def test_a_broken_line_is_a_fault_and_loses_no_other(line: bytes, fault: str, tmp_path: Path) -> None:
    path = written(tmp_path, "q.jsonl", b'{"id": "a"}\n' + line + b'\n{"id": "c"}\n')
    first, broken, last = read(path)
    assert (first, last) == ({"id": "a"}, {"id": "c"})
    assert broken.startswith(f"q.jsonl:2: {fault}")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()), max_size=3)
    )
)
def test_any_objects_come_back(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    text = "".join(json.dumps(row, ensure_ascii=len(row) % 2 == 0) + "\n" for row in rows)
    assert read(written(tmp_path, "any.jsonl", text)) == rows


def refused(path: Path) -> str:
    """Read a file; return the error that refuses all of it, if there is one."""
    try:
        list(files(path).items())
    except eh.DataError as error:
        return str(error)
    return ""


@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_a_reader_fail(content: bytes, tmp_path: Path) -> None:
    for name in ("any.jsonl", "any.csv", "any.tsv", "any.parquet"):
        assert not (refusal := refused(written(tmp_path, name, content))) or "the header names the column" in refusal


def test_csv_is_read_with_quotes_and_lines_within_values(tmp_path: Path) -> None:
    path = written(tmp_path, "q.csv", '\ufeffid,text\r\na,"one, ""two""\nthree"\r\n\r\nb,é\r\n')
    assert read(path) == [{"id": "a", "text": 'one, "two"\nthree'}, {"id": "b", "text": "é"}]
    assert [item.where for item in files(path).items()] == [f"{path}:2", f"{path}:5"]


def test_tsv_is_read_by_tabs(tmp_path: Path) -> None:
    assert read(written(tmp_path, "q.tsv", "id\ttext\na\tone, two\n")) == [{"id": "a", "text": "one, two"}]


def test_broken_rows_of_csv_are_faults_with_their_lines(tmp_path: Path) -> None:
    content = b'id,text\na,one,two\nb,"x"y\nc\nd,caf\xe9\n"e","two\nlines"\nf,good\n'
    assert read(written(tmp_path, "q.csv", content)) == [
        "q.csv:2: 3 values where the header names 2 columns; a value with a comma needs quotes",
        "q.csv:3: broken CSV: ',' expected after '\"'",
        "q.csv:4: 1 values where the header names 2 columns; a value with a comma needs quotes",
        "q.csv:5: not UTF-8",
        {"id": "e", "text": "two\nlines"},
        {"id": "f", "text": "good"},
    ]


def test_a_quote_that_never_closes_is_a_fault_at_its_line(tmp_path: Path) -> None:
    found = read(written(tmp_path, "q.csv", 'id,text\na,good\nb,"open\nc,lost\n'))
    assert found == [{"id": "a", "text": "good"}, "q.csv:3: broken CSV: unexpected end of data"]


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(eh.DataError, match=r"q\.csv:1: the header names the column 'id' twice"):
        read(written(tmp_path, "q.csv", "id,text,id\n"))


def test_parquet_is_read_as_json_values(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "text": "a", "list": ["x"], "day": datetime.date(2024, 2, 29), "price": decimal.Decimal("1.10"), "score": 0.5},
        {"id": 2, "text": None, "list": [], "day": None, "price": None, "score": float("nan")},
    ]
    path = tmp_path / "q.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([{**row, "image": b"..."} for row in rows]), path)
    assert read(path) == [
        {"id": 1, "text": "a", "list": ["x"], "day": "2024-02-29", "price": "1.10", "score": 0.5},
        {"id": 2, "text": None, "list": [], "day": None, "price": None, "score": None},
    ]
    assert [item.where for item in files(path).items()] == [f"{path}:row 1", f"{path}:row 2"]


def test_a_broken_parquet_file_is_one_fault_and_its_neighbours_are_read(tmp_path: Path) -> None:
    written(tmp_path, "folder/a.parquet", b"PAR1 but not really")
    written(tmp_path, "folder/b.jsonl", '{"id": "b"}\n')
    broken, good = read(tmp_path / "folder")
    assert broken.startswith("a.parquet: not a readable parquet file: ")
    assert good == {"id": "b"}


def test_a_json_list_and_an_arrow_file_are_read_through_datasets(tmp_path: Path) -> None:
    import datasets

    assert read(written(tmp_path, "q.json", '[{"id": "a", "refs": ["x"]}, {"id": "b", "refs": []}]')) == [
        {"id": "a", "refs": ["x"]}, {"id": "b", "refs": []},
    ]  # fmt: skip
    datasets.Dataset.from_list([{"id": "a"}]).save_to_disk(tmp_path / "saved")
    arrow = next((tmp_path / "saved").glob("*.arrow"))
    assert read(arrow) == [{"id": "a"}]
    assert read(written(tmp_path, "bad.json", "[{"))[0].startswith("bad.json: not a readable json file: ")


def test_reading_through_datasets_reports_nothing_to_anyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    calls: list[str] = []
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", True)
    monkeypatch.setattr(datasets.load, "get_session", lambda: calls.append("connected"))
    assert read(written(tmp_path, "q.json", '[{"id": "a"}]')) == [{"id": "a"}]
    assert calls == []


def test_a_folder_is_all_files_of_known_endings_by_name(tmp_path: Path) -> None:
    written(tmp_path, "folder/b.csv", "id\nb\n")
    written(tmp_path, "folder/a.jsonl", '{"id": "a"}\n')
    written(tmp_path, "folder/notes.md", "no data")
    assert read(tmp_path / "folder") == [{"id": "a"}, {"id": "b"}]


def test_a_split_of_a_folder_is_the_files_called_after_it(tmp_path: Path) -> None:
    for name in ("test.jsonl", "test-00001.jsonl", "train.jsonl", "testing.jsonl"):
        written(tmp_path, f"folder/{name}", json.dumps({"id": name}) + "\n")
    assert read(tmp_path / "folder", split="test") == [{"id": "test-00001.jsonl"}, {"id": "test.jsonl"}]
    with pytest.raises(eh.DataError, match=r"holds no file called dev\.\* or dev-\* that ends in \.jsonl, \.ndjson"):
        read(tmp_path / "folder", split="dev")


def test_the_format_can_be_named_where_the_ending_does_not_tell_it(tmp_path: Path) -> None:
    path = written(tmp_path, "data.txt", '{"id": "a"}\n')
    assert read(path, format="jsonl") == [{"id": "a"}]
    with pytest.raises(eh.DataError, match=r"data\.txt: the ending tells no format; known are \.jsonl, .*, or set 'format'"):
        read(path)


def test_a_missing_file_is_said_with_its_neighbour(tmp_path: Path) -> None:
    written(tmp_path, "questions.jsonl", "{}\n")
    with pytest.raises(
        eh.DataError, match=r"no file or folder is called '.*question\.jsonl'\. Did you mean '.*questions\.jsonl'\?"
    ):
        read(tmp_path / "question.jsonl")
    with pytest.raises(eh.DataError, match=r"There is no folder '.*nowhere' either; paths in a task file start from the folder"):
        read(tmp_path / "nowhere" / "q.jsonl")


def test_the_digest_follows_content_and_names(tmp_path: Path) -> None:
    one, same = written(tmp_path, "a/q.jsonl", "{}\n"), written(tmp_path, "b/q.jsonl", "{}\n")
    other, renamed = written(tmp_path, "c/q.jsonl", "{ }\n"), written(tmp_path, "d/p.jsonl", "{}\n")
    digests = [files(path).digest() for path in (one, same, other, renamed)]
    assert digests[0] == digests[1] == files(one.parent).digest()
    assert len(set(digests)) == 3


def test_where_one_file_ends_is_part_of_the_digest(tmp_path: Path) -> None:
    for folder, first, second in (("a", "{}\n{}\n", "{}\n"), ("b", "{}\n", "{}\n{}\n")):
        written(tmp_path, f"{folder}/1.jsonl", first)
        written(tmp_path, f"{folder}/2.jsonl", second)
    assert files(tmp_path / "a").digest() != files(tmp_path / "b").digest()


def test_a_parquet_file_streams_by_batches(tmp_path: Path) -> None:
    path = tmp_path / "large.parquet"
    with parquet.ParquetWriter(path, pyarrow.schema([("id", pyarrow.string()), ("text", pyarrow.string())])) as writer:
        for part in range(20):
            rows = [{"id": f"{part}-{number}", "text": f"{part}-{number} " * 100} for number in range(1_000)]
            writer.write_table(pyarrow.Table.from_pylist(rows))
    tracemalloc.start()
    assert sum(1 for _ in files(path).items()) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000
