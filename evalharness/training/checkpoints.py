"""Checkpoints of a training run: what the Trainer does not keep, and which of them is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STATE = "loss.pt"
LAST_WRITTEN = "trainer_state.json"


def write_state(folder: str, step: int, state: dict[str, Any]) -> None:
    """Write what belongs to the loss into the checkpoint of a step, before the Trainer writes its own part."""
    import torch

    path = Path(folder) / f"checkpoint-{step}" / STATE
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


def restored(checkpoint: str | None, device: Any) -> dict[str, Any] | None:
    """Return what belongs to the loss in a checkpoint, None where there is none."""
    import torch

    path = Path(checkpoint or "") / STATE
    return torch.load(path, map_location=device, weights_only=True) if checkpoint and path.is_file() else None


def last_checkpoint(folder: str | Path) -> str | None:
    """Return the newest whole checkpoint of a folder, None where there is none: one that a kill cut off is passed over.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for step, text in ((5, "{}"), (10, "{}"), (15, "{")):
    ...         path = Path(folder) / f"checkpoint-{step}"
    ...         path.mkdir()
    ...         _ = (path / "trainer_state.json").write_text(text)
    ...     Path(last_checkpoint(folder)).name
    'checkpoint-10'
    """
    steps = {int(path.name.partition("-")[2]): path for path in Path(folder).glob("checkpoint-*") if _is_whole(path)}
    return str(steps[max(steps)]) if steps else None


def _is_whole(path: Path) -> bool:
    """Return whether the file is there that is written last."""
    try:
        json.loads((path / LAST_WRITTEN).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def quietly() -> Iterator[None]:
    """Show no bars of the transformers library while it writes weights."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
