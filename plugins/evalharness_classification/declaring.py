"""Metrics that differ in a formula: the function is the metric, and what all of its kind share is a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def declared(function: Callable[..., Any], base: type[Any], method: str, stated: Mapping[str, Any]) -> type[Any]:
    """Return the metric class that a function declares, as that method of it; what it takes by keyword only are its options.

    Its docstring also tells the facts of all metrics of its kind, before the example.
    """
    options = dict(function.__kwdefaults__ or {})

    def call(self: Any, *given: Any, **named: Any) -> Any:
        return function(*given, **named, **{name: getattr(self, name) for name in options})

    told, mark, example = (function.__doc__ or "").partition(">>>")
    doc = f"{told.rstrip()}\n\n    {base.facts}\n\n    {mark}{example}".rstrip()
    origin = {"__module__": function.__module__, "__qualname__": function.__qualname__, "__doc__": doc}
    types = {"__annotations__": {name: function.__annotations__[name] for name in options}}
    return type(function.__name__, (base,), {"name": function.__name__, **origin, **types, **options, method: call, **stated})
