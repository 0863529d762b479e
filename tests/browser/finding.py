"""Finds a Chromium to drive."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE = f"there is no browser: none of {', '.join(NAMES)} is on the path, and EVALHARNESS_CHROMIUM names none"


def chromium() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    named = os.environ.get("EVALHARNESS_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)
