"""Keys do not stand in what comes back from a system, however it wrote them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from evalharness_pipelines.secrets import without

KEY = 'sk-very/secret+key="ü"\n'


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        json.dumps(KEY)[1:-1],
        json.dumps(KEY, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        json.dumps(KEY)[1:-1].replace("/", "\\u002f").replace("+", "\\u002B").replace("=", "\\u003D").replace('\\"', "\\u0022"),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
    ],
)
def test_a_key_is_taken_out_in_whichever_way_it_is_written(written: str) -> None:
    assert without(f"you sent {written}, {written}", {"MY_KEY": KEY}) == "you sent [MY_KEY], [MY_KEY]"


def test_what_is_short_guards_nothing_and_longer_values_go_first() -> None:
    secrets = {"SHORT": "abc", "PART": "12345678", "WHOLE": "12345678-abc"}
    assert without("abc 12345678-abc 12345678", secrets) == "abc [WHOLE] [PART]"
