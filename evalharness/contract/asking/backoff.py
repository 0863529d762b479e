"""How long to wait before a request is asked again."""

from __future__ import annotations

import random

from evalharness.contract.sample import Request

FIRST_SECONDS, MOST_SECONDS = 0.5, 30.0


def backoff(request: Request, failures: int, most: float = MOST_SECONDS) -> float:
    """Return seconds to wait after so many failures: drawn evenly from 0 to a limit that doubles with each of them.

    The draw depends on the request alone ("full jitter"), so that many requests that failed at once come back apart, and
    yet every run is like the other.
    """
    limit = min(most, FIRST_SECONDS * 2.0 ** min(failures - 1, 32))
    return random.Random(f"{request.key('')} {failures}").uniform(0.0, limit)
