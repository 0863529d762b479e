"""Plugins are found by entry point, loaded one by one, and looked up by name."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest

from evalharness import Metric, hookimpl, registry
from evalharness.contract import Dataset, Loss, Model, Spec
from evalharness.errors import FaultsFound, PluginError, UnknownName
from evalharness.registry import Registry, Source, load


class Brevity(Metric):
    """Share of responses of at most `limit` characters, 0 to 1."""

    name, better, range = "brevity", "higher", (0, 1)
    limit: int = 5
    names: tuple[str, ...] = ()

    def measure(self, response: list[str]) -> dict[str, list[float]]:
        return {"short": [float(len(text) <= self.limit) for text in response]}


class Other(Metric):
    """The same name again."""

    name, better = "brevity", "lower"


class Fussy(Metric):
    """Refuses its options."""

    name, better = "fussy", "lower"
    k: int = 1

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError("k must be 1 or more")


def package(name: str, **members: Any) -> types.ModuleType:
    """Return a module as a plugin package would be, its functions marked as hooks."""
    module = types.ModuleType(name)
    for key, value in members.items():
        setattr(module, key, hookimpl(value) if isinstance(value, types.FunctionType) else value)
    return module


def source(plugin: str, distribution: str = "acme") -> Source:
    return Source(plugin, distribution, "1.0")


def providing(*classes: Any) -> types.ModuleType:
    def evalharness_metrics() -> list[Any]:
        return list(classes)

    return package("provider", evalharness_metrics=evalharness_metrics)


@pytest.fixture
def registered() -> Registry:
    found = Registry()
    found.add(providing(Brevity, Fussy), source("short"))
    return found


def test_a_plugin_is_found_by_name_with_its_source(registered: Registry) -> None:
    entry = registered.find("metric", "brevity")
    assert (entry.cls, str(entry.source)) == (Brevity, "short (acme 1.0)")


def test_options_are_converted_and_given(registered: Registry) -> None:
    built = registered.build("metric", Spec("brevity", {"limit": 3, "names": ["a"]}))
    assert built == Brevity(limit=3, names=("a",))


def test_an_unknown_name_suggests_the_nearest_and_names_broken_plugins(registered: Registry) -> None:
    registered.broken[source("bad", "acme-bad")] = "ImportError: no module named 'x'"
    with pytest.raises(UnknownName) as caught:
        registered.find("metric", "brevty")
    assert str(caught.value).splitlines() == [
        "no metric is called 'brevty'. Did you mean 'brevity'? Run 'evalharness list metrics' for the full list.",
        "Plugin bad (acme-bad 1.0) failed to load and may provide it: ImportError: no module named 'x'",
    ]


def test_every_wrong_option_is_told_at_once(registered: Registry) -> None:
    with pytest.raises(FaultsFound) as caught:
        registered.build("metric", Spec("brevity", {"limt": 3, "limit": "long"}))
    assert [fault.message for fault in caught.value.faults] == [
        "metric 'brevity' has no option 'limt'. Did you mean 'limit'? It has: limit, names.",
        "option 'limit' of metric 'brevity' must be a whole number, not 'long'.",
    ]


def test_a_value_that_the_plugin_refuses_is_a_fault(registered: Registry) -> None:
    with pytest.raises(FaultsFound, match=r"^metric 'fussy': k must be 1 or more$"):
        registered.build("metric", Spec("fussy", {"k": 0}))


def test_a_name_taken_by_another_distribution_is_refused_and_both_are_named(registered: Registry) -> None:
    with pytest.raises(PluginError) as caught:
        registered.add(providing(Fussy, Other), source("rival", "other-dist"))
    told = str(caught.value)
    assert "metric 'fussy' of rival (other-dist 1.0) is already provided by short (acme 1.0); uninstall one of the two" in told
    assert registered.find("metric", "brevity").cls is Brevity
    assert source("rival", "other-dist") not in registered.sources


def test_one_package_with_a_name_twice_is_refused() -> None:
    found = Registry()
    with pytest.raises(PluginError, match=r"metric 'brevity' .* is already provided"):
        found.add(providing(Brevity, Other), source("twice"))
    assert not found.entries["metric"]


def nameless() -> Any:
    return type("Nameless", (Metric,), {"better": "higher"})


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (3, "returned 3, which is not a subclass of Metric"),
        (Model, "which is not a subclass of Metric"),
        (nameless(), "does not state its name"),
        (type("Spaced", (Metric,), {"name": "my metric", "better": "higher"}), "a name is a letter followed by"),
        (type("Aimless", (Metric,), {"name": "aimless"}), "does not state whether 'higher' or 'lower' is better"),
        (type("Sideways", (Metric,), {"name": "sideways", "better": "up"}), "does not state whether 'higher' or 'lower'"),
    ],
)
def test_classes_that_do_not_describe_themselves_are_refused(cls: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        Registry().add(providing(cls), source("bad"))


def test_a_loss_is_lower_is_better_unless_it_says_otherwise() -> None:
    class Square(Loss):
        """Squared error, 0 or more."""

        name = "square"

    def evalharness_losses() -> list[type[Loss]]:
        return [Square]

    found = Registry()
    found.add(package("losses", evalharness_losses=evalharness_losses), source("losses"))
    assert found.find("loss", "square").cls.better == "lower"


def test_a_provider_must_return_a_list() -> None:
    def evalharness_metrics() -> Any:
        return None

    with pytest.raises(PluginError, match="evalharness_metrics returned NoneType; it must return a list of classes"):
        Registry().add(package("none", evalharness_metrics=evalharness_metrics), source("none"))


def test_a_hook_that_does_not_exist_is_refused_with_the_nearest() -> None:
    def evalharness_metric() -> list[Any]:
        return []

    with pytest.raises(PluginError, match=r"no hook is called 'evalharness_metric'\. Did you mean 'evalharness_metrics'"):
        Registry().add(package("typo", evalharness_metric=evalharness_metric), source("typo"))


def test_a_hook_without_its_mark_is_refused() -> None:
    module = types.ModuleType("unmarked")
    module.evalharness_metrics = lambda: [Brevity]  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="evalharness_metrics is not marked with @hookimpl"):
        Registry().add(module, source("unmarked"))


def test_a_hook_with_an_argument_that_is_not_there_is_refused() -> None:
    def evalharness_run_started(run: Any, speed: int) -> None: ...

    with pytest.raises(Exception, match="speed"):
        Registry().add(package("extra", evalharness_run_started=evalharness_run_started), source("extra"))


def test_notifications_reach_the_plugin_and_are_listed(registered: Registry) -> None:
    seen: list[Any] = []

    def evalharness_run_started(run: Any) -> None:
        seen.append(run)

    registered.add(package("watcher", evalharness_run_started=evalharness_run_started), source("watcher"))
    registered.manager.hook.evalharness_run_started(run="the run")
    assert seen == ["the run"]
    assert registered.notified(source("watcher")) == ["evalharness_run_started"]
    assert registered.notified(source("short")) == []


class Distribution(metadata.Distribution):
    """A distribution that exists only as far as entry points need it."""

    def __init__(self, name: str) -> None:
        self.text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"

    def read_text(self, filename: str) -> str | None:
        return self.text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        raise NotImplementedError


def point(name: str, module: str, distribution: str) -> metadata.EntryPoint:
    made = metadata.EntryPoint(name, module, "evalharness")
    vars(made).update(dist=Distribution(distribution))
    return made


@pytest.fixture
def importable() -> Iterator[dict[str, types.ModuleType]]:
    modules = {"one_brevity": providing(Brevity), "two_brevity": providing(Other), "one_fussy": providing(Fussy)}
    sys.modules.update(modules)
    yield modules
    for name in modules:
        del sys.modules[name]


def test_a_plugin_that_fails_to_import_is_noted_and_the_rest_go_on(importable: object) -> None:
    loaded = load([point("bad", "module_that_is_not_there", "acme-bad"), point("fussy", "one_fussy", "acme")])
    assert list(loaded.entries["metric"]) == ["fussy"]
    assert loaded.broken == {source("bad", "acme-bad"): "ModuleNotFoundError: No module named 'module_that_is_not_there'"}


def test_a_plugin_that_leaves_the_program_at_import_is_not_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    made = point("quitter", "anything", "acme")
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda _: sys.exit("bye"))
    assert load([made]).broken == {source("quitter"): "SystemExit: bye"}


def test_our_own_plugins_cannot_be_displaced_by_a_name_that_sorts_first(importable: object) -> None:
    loaded = load([point("aaa", "two_brevity", "acme"), point("zzz", "one_brevity", "evalharness")])
    assert loaded.find("metric", "brevity").cls is Brevity
    (reason,) = loaded.broken.values()
    assert "aaa (acme 1.0) is already provided by zzz (evalharness 1.0)" in reason


def test_the_order_in_which_strangers_are_found_does_not_matter(importable: object) -> None:
    points = [point("b", "two_brevity", "b-dist"), point("a", "one_brevity", "a-dist")]
    assert load(points).find("metric", "brevity") == load(points[::-1]).find("metric", "brevity")


def test_loading_can_be_restricted(importable: object) -> None:
    points = [point("short", "one_brevity", "acme"), point("fussy", "one_fussy", "acme")]
    assert list(load(points, frozenset({"fussy"})).entries["metric"]) == ["fussy"]
    assert not load(points, frozenset()).sources


@pytest.mark.parametrize(("value", "plugins"), [("text", ["text"]), (" text , data ", ["data", "text"]), ("", [])])
def test_the_environment_restricts_loading(value: str, plugins: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_PLUGINS", value)
    assert [each.plugin for each in registry.installed.__wrapped__().sources] == plugins


def test_names_are_unique_within_a_kind_only() -> None:
    def evalharness_metrics() -> list[Any]:
        return [Brevity]

    def evalharness_datasets() -> list[Any]:
        return [type("Brevities", (Dataset,), {"name": "brevity"})]

    found = Registry()
    found.add(package("both", evalharness_metrics=evalharness_metrics, evalharness_datasets=evalharness_datasets), source("both"))
    assert found.find("metric", "brevity").cls is not found.find("dataset", "brevity").cls
