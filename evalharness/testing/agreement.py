"""How far metrics lie from the implementations that they are verified against: asserted, and noted for `describe`.

Tests call `agree`. `pytest --record-agreement` (in one process, over all tests) writes the largest difference that they
saw into `agreement.json` of each plugin package, from which `evalharness describe` and the catalogue read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

AGREEMENT = "agreement.json"


@dataclass
class _Seen:
    difference: float = 0.0
    comparisons: int = 0
    tolerance: float = 0.0


_seen: dict[str, _Seen] = {}


def agree(metric: str, found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Assert that numbers equal those of the reference implementation, and note how far they lie from them.

    `found` and `expected` are numbers or arrays of one shape; NaN equals NaN. The difference is relative for values
    beyond 1 and absolute below. Raises AssertionError where one is more than `tolerance`.

    >>> agree("token_f1", [0.5, 1.0], [0.5, 1.0])
    """
    import numpy as np

    ours, theirs = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert ours.shape == theirs.shape, f"{metric}: shape {ours.shape}, the reference gives {theirs.shape}"
    with np.errstate(invalid="ignore"):
        apart = np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))
    apart = np.where((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)), 0.0, apart)
    wrong = np.argwhere(~(apart <= tolerance))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise AssertionError(f"{metric} at {place}: {ours[place]!r}, the reference gives {theirs[place]!r}")
    note = _seen.setdefault(metric, _Seen())
    note.difference = max(note.difference, float(apart.max(initial=0.0)))
    note.comparisons += apart.size
    note.tolerance = max(note.tolerance, tolerance)


def recorded_agreement(package: str) -> dict[str, dict[str, Any]]:
    """Return what tests noted of the metrics of a plugin package by their names; empty where nothing was."""
    source = files(package) / AGREEMENT
    return json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {}


def write_agreement() -> list[Path]:
    """Write what was noted into the packages of the metrics, beside what stands there of others; return the files."""
    from evalharness import registry

    unknown = sorted(name for name in _seen if registry.installed().get("metric", name) is None)
    assert not unknown, f"agree was called with the names of no metrics: {', '.join(unknown)}"
    by_package: dict[str, dict[str, Any]] = {}
    for entry in registry.installed().classes("metric"):
        if entry.cls.name in _seen:
            package = entry.cls.__module__.partition(".")[0]
            by_package.setdefault(package, {})[entry.cls.name] = vars(_seen[entry.cls.name])
    return [_write(package, noted) for package, noted in by_package.items()]


def _write(package: str, noted: dict[str, Any]) -> Path:
    path = Path(str(files(package) / AGREEMENT))
    merged = dict(sorted({**recorded_agreement(package), **noted}.items()))
    path.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    return path
