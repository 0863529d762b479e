"""The `datasets` library, told to keep to itself."""

from __future__ import annotations

from typing import Any

import evalharness as eh


def datasets_library() -> Any:
    """Return the module `datasets`: it reports no use to the Hub, and offline it asks the Hub for nothing.

    Its environment variables count only before its first import, so its settings are set here.
    """
    import datasets

    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    if eh.offline():
        datasets.config.HF_HUB_OFFLINE = True
    return datasets
