"""Samples in local files, read one at a time."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import evalharness as eh
from evalharness_data import readers

READERS: dict[str, Callable[[Path], Iterator[eh.Item]]] = {
    "jsonl": readers.read_jsonl,
    "csv": readers.read_csv,
    "tsv": readers.read_tsv,
    "parquet": readers.read_parquet,
    "json": readers.read_json,
    "arrow": readers.read_arrow,
}
FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", **{f".{name}": name for name in READERS}}
BLOCK = 1 << 20


class Files(eh.Dataset):
    """Samples in a local file, or in all files of a folder that end in a known format, sorted by name.

    - `path`: the file or folder.
    - `format`: `jsonl` (one object a line), `csv` or `tsv` (with a header), `parquet`, `json` (a list of objects),
      `arrow`; `auto` goes by each file's ending.
    - `split`: of a folder, only the files that are called SPLIT.* or SPLIT-*.

    Files may be larger than memory, but for `json`. A line of jsonl, csv or tsv that cannot be read is an item with a fault.
    """

    name = "files"
    example = {"path": "questions.jsonl"}
    path: eh.File
    format: Literal["auto", "jsonl", "csv", "tsv", "parquet", "json", "arrow"] = "auto"
    split: str | None = None

    def items(self) -> Iterator[eh.Item]:
        for file in self._files():
            yield from READERS[self._format_of(file)](file)

    def digest(self) -> str:
        hashed = hashlib.blake2b(digest_size=16)
        for file in self._files():
            name = file.name.encode("utf-8", "surrogateescape")
            hashed.update(b"%d:%s:%d:" % (len(name), name, file.stat().st_size))
            with file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    hashed.update(block)
        return hashed.hexdigest()

    def _files(self) -> list[Path]:
        path = Path(self.path)
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise eh.DataError(f"no file or folder is called '{self.path}'.{_neighbour(path)}")
        files = sorted(file for file in path.iterdir() if self._chosen(file))
        if not files:
            wanted = f" called {self.split}.* or {self.split}-*" if self.split else ""
            raise eh.DataError(f"the folder '{self.path}' holds no file{wanted} that ends in {', '.join(FORMATS)}")
        return files

    def _chosen(self, file: Path) -> bool:
        named = self.split is None or file.name.startswith((f"{self.split}.", f"{self.split}-"))
        return named and file.is_file() and file.suffix.lower() in FORMATS

    def _format_of(self, file: Path) -> str:
        if self.format != "auto":
            return self.format
        known = FORMATS.get(file.suffix.lower())
        if known is None:
            raise eh.DataError(f"{file}: the ending tells no format; known are {', '.join(FORMATS)}, or set 'format'")
        return known


def _neighbour(path: Path) -> str:
    try:
        names = [file.name for file in path.parent.iterdir()]
    except OSError:
        return f" There is no folder '{path.parent}' either; paths in a task file start from the folder of that file."
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f" Did you mean '{path.with_name(near[0])}'?" if near else " Paths in a task file start from the folder of that file."
