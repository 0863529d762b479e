"""Logs finished runs to MLflow; an example of a plugin on the notification hooks of evalharness."""

from __future__ import annotations

import os
from typing import Any

import evalharness as eh


@eh.hookimpl
def evalharness_run_finished(record: Any) -> None:
    """Log the record to the MLflow that MLFLOW_TRACKING_URI names; without that variable nothing happens."""
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if address:
        from evalharness_mlflow.logging import log_record

        log_record(record, address)
