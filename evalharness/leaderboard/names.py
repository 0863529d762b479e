"""Folder names that every platform takes, made from the names of systems and tasks."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b

LONGEST = 64
# Windows keeps these for devices, with any ending.
DEVICES = {"con", "prn", "aux", "nul", *(f"{device}{number}" for device in ("com", "lpt") for number in range(10))}


def slug(name: str) -> str:
    """Return the folder name of a system or task: lower-case letters, digits and `. _ + -`, at most 64 characters.

    >>> slug("Dense+SmolLM2"), slug("../../x"), slug("<script>"), slug("CON.txt")
    ('dense+smollm2', 'x', 'script', 'x-con.txt')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    text = re.sub(r"[^a-z0-9._+-]+", "-", plain).strip("-._+")
    if not text or len(text) > LONGEST:
        mark = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        text = f"{text[: LONGEST - 9].rstrip('-._+') or 'system'}-{mark}"
    return f"x-{text}" if text.partition(".")[0] in DEVICES else text
