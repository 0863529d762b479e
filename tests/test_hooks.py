"""The hooks themselves: one prefix, documented moments, and results as the specification says."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from evalharness import hookimpl, hooks
from evalharness.registry import PROVIDERS, Registry

HOOKS = {name: item for name, item in vars(hooks).items() if hasattr(item, f"{hooks.PROJECT}_spec")}


def test_every_hook_bears_the_prefix_and_every_prefixed_function_is_a_hook() -> None:
    assert HOOKS
    assert set(HOOKS) == {name for name in vars(hooks) if name.startswith("evalharness_")}


@pytest.mark.parametrize("name", PROVIDERS.values())
def test_providers_take_no_argument(name: str) -> None:
    assert not inspect.signature(HOOKS[name]).parameters


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_when_it_is_called(name: str) -> None:
    told = inspect.getdoc(HOOKS[name]) or ""
    assert any(word in told for word in ("Called", "Take note"))


class First:
    @hookimpl
    def evalharness_render(self, format: str) -> str | None:
        return "first" if format == "shout" else None


class Second:
    @hookimpl
    def evalharness_render(self, format: str) -> str:
        return "second"


@pytest.mark.parametrize(("format", "text"), [("shout", "first"), ("whisper", "second")])
def test_the_first_rendering_wins(format: str, text: str) -> None:
    manager = Registry().manager
    manager.register(Second())
    manager.register(First())
    rendered: Any = manager.hook.evalharness_render(record=None, format=format)
    assert rendered == text
