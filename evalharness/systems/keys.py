"""Keys of requests, many a second: what does not change from one request to the next is put into JSON once.

A key is the same text whether `Keys.of` makes it or `Request.key`, which takes four times as long.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import compress
from json.encoder import encode_basestring as quoted
from typing import Any

from evalharness.contract import Request
from evalharness.systems.quick_json import quick_json

KEY_BYTES = 16
VALUES = (str, int, float, bool, type(None), tuple)  # what is the same object is the same value


@dataclass
class Keys:
    """Makes the keys of requests to the model with one identity.

    >>> request = Request(sample="q1", repeat=2)
    >>> Keys("m").of(request) == request.key("m")
    True
    """

    identity: str
    _kinds: dict[type[Request], _Kind | None] = field(default_factory=dict)

    def of(self, request: Request) -> str:
        """Return the key of one request."""
        made = type(request)
        if made not in self._kinds:
            self._kinds[made] = _Kind.of(made, self.identity)
        kind = self._kinds[made]
        if kind is None:
            return Request.key(request, self.identity)
        return blake2b(kind.text(request).encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).hexdigest()


class _Kind:
    """The canonical JSON that a kind of request is digested as; parts stay as they are while their value is the same object."""

    def __init__(self, identity: str, kind: str, fields: list[dataclasses.Field[Any]]) -> None:
        names = sorted([*(item.name for item in fields), "kind"])
        self._neutral = {item.name: item.default for item in fields if item.metadata.get("neutral")}
        self._names = [name for name in names if name != "kind"]
        # A kind beside the fields, since of one name alone there would be no tuple.
        self._get: Callable[[Request], tuple[Any, ...]] = operator.attrgetter(*self._names, "kind")
        self._values: list[Any] = [_Kind] * len(self._names)  # no request holds this
        self._each = range(len(self._names))
        self._labels = [f",{quoted(name)}:" for name in self._names]
        self._parts = [""] * len(names)
        self._places = [names.index(name) for name in self._names]
        self._parts[names.index("kind")] = f',"kind":{quoted(kind)}'
        self._head = f"[{quoted(identity)},{{"

    @classmethod
    def of(cls, made: type[Request], identity: str) -> _Kind | None:
        """Return the kind of a class of requests; None for one that has a content of its own."""
        if made.content is not Request.content:
            return None
        return cls(identity, made.kind, [item for item in dataclasses.fields(made) if item.name != "sample"])

    def text(self, request: Request) -> str:
        """Return the canonical JSON of the identity and a request's content."""
        values = self._get(request)
        for place in compress(self._each, map(operator.is_not, values, self._values)):
            self._take(place, values[place])
        return f"{self._head}{''.join(self._parts)[1:]}}}]"

    def _take(self, place: int, value: Any) -> None:
        name = self._names[place]
        left_out = name in self._neutral and value == self._neutral[name]
        self._parts[self._places[place]] = "" if left_out else self._labels[place] + quick_json(value)
        self._values[place] = value if type(value) in VALUES else _Kind
