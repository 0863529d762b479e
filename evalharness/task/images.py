"""The field `images` of a sample as URLs: addresses as they are, files of the data as `data:` URLs."""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from typing import Any

from evalharness.contract import Spec
from evalharness.errors import DataError, shown

FIELD = "images"
SCHEMES = ("http://", "https://", "data:")


def data_folder(source: Spec) -> Path | None:
    """Return the folder of a dataset's file, from which the paths of its images start; None for a dataset without one."""
    path = source.options.get("path")
    if not isinstance(path, str) or source.name != "files":
        return None
    return (Path(source.folder) / path).parent


def image_urls(images: Any, folder: Path | None) -> tuple[str, ...]:
    """Return the images of a sample as URLs.

    Raises DataError for what is no list of text, and for a file that is missing or whose name does not tell its kind.

    >>> image_urls(["https://example.org/a.png"], None)
    ('https://example.org/a.png',)
    """
    if images is None:
        return ()
    if not isinstance(images, (list, tuple)) or not all(isinstance(image, str) for image in images):
        raise DataError(f"the field '{FIELD}' must be a list of URLs or paths, not {shown(images)}")
    return tuple(image if image.startswith(SCHEMES) else _data_url(image, folder) for image in images)


def _data_url(path: str, folder: Path | None) -> str:
    if folder is None:
        raise DataError(f"the image {shown(path)} is no URL, and this dataset has no folder in which a path could be looked up")
    kind = mimetypes.guess_type(path)[0] or ""
    if not kind.startswith("image/"):
        raise DataError(f"the image {shown(path)} must have a name that tells its kind, such as .png or .jpg")
    try:
        content = (folder / path).read_bytes()
    except OSError as error:
        raise DataError(f"the image {shown(path)} cannot be read from {folder}: {error.strerror}") from None
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
