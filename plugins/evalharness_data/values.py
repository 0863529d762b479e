"""Turns what columnar files hold into JSON values."""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any

NO_JSON = object()


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of JSON values: dates in ISO form, decimals as text, NaN and infinity as null.

    Columns that have no JSON form (bytes, images) are left out.

    >>> as_json({"day": datetime.date(2024, 2, 29), "score": float("nan"), "image": b"..."})
    {'day': '2024-02-29', 'score': None}
    """
    converted = {name: _value(value) for name, value in row.items()}
    return {name: value for name, value in converted.items() if value is not NO_JSON}


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, list):
        items = [_value(item) for item in value]
        return NO_JSON if any(item is NO_JSON for item in items) else items
    if isinstance(value, dict):
        return as_json(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value) if isinstance(value, decimal.Decimal) else NO_JSON
