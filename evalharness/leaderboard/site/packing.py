"""Long rows of numbers as short text: the floats of a thousand systems would fill the site as decimals."""

from __future__ import annotations

import base64
from typing import Any

from numpy.typing import NDArray


def packed(values: NDArray[Any]) -> str:
    """Return numbers as base64 of little-endian float32; NaN where there is none.

    >>> import numpy
    >>> packed(numpy.array([1.0, 0.5]))
    'AACAPwAAAD8='
    """
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")
