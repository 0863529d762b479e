"""Checkpoints of a training run: what is trained, what belongs to the loss, and which checkpoint is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STATE = "training.pt"
LAST_WRITTEN = "trainer_state.json"


def write_state(folder: str, step: int, state: Mapping[str, Any]) -> None:
    """Write what is trained and what belongs to the loss into the checkpoint of a step, before the Trainer writes its part."""
    import torch

    path = Path(folder) / f"checkpoint-{step}" / STATE
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(_detached(state), path)


def _detached(value: Any) -> Any:
    """Return nested tensors without what they are to a module: parameters are read back as tensors."""
    if isinstance(value, Mapping):
        return {name: _detached(inner) for name, inner in value.items()}
    return value.detach() if hasattr(value, "detach") else value


def restored(checkpoint: str, device: Any) -> Mapping[str, Any]:
    """Return what `write_state` wrote."""
    import torch

    found: Mapping[str, Any] = torch.load(Path(checkpoint) / STATE, map_location=device, weights_only=True)
    return found


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
