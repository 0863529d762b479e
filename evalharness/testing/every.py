"""Checks that hold for plugins of every kind: documentation, options, pickling, a light load."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

from evalharness import registry
from evalharness.contract.options import convert_options
from evalharness.testing.light import IDENTITY, check_module_is_light, in_fresh_process
from evalharness.testing.outcomes import Broken, NotApplicable


def made(kind: registry.Kind, plugin: Any) -> Any:
    """Return a plugin given as an instance, or as a class that is built with the options of its `example`."""
    return registry.make(kind, plugin, getattr(plugin, "example", {})) if isinstance(plugin, type) else plugin


def kind_of(plugin: Any) -> registry.Kind:
    """Return the kind of a plugin or of its class; a loss is a metric too and counts as a loss."""
    cls = plugin if isinstance(plugin, type) else type(plugin)
    return next(kind for kind, base in reversed(registry.BASES.items()) if issubclass(cls, base))


def title(plugin: Any) -> str:
    """Return the kind and name by which messages call a plugin."""
    return f"{kind_of(plugin)} '{plugin.name}'"


def has_a_docstring(plugin: Any) -> None:
    cls = type(plugin)
    first = (cls.__doc__ or "").strip().partition("\n")[0].strip()
    if not first or first.startswith(f"{cls.__name__}("):  # a dataclass writes its own signature where there is none
        raise Broken(
            "a docstring whose first line says what the plugin is, with unit and range for a metric",
            f"class {cls.__name__} has none",
            f'add """...""" as the first line of class {cls.__name__}; lists, descriptions and docs show it',
        )


def rebuilds_from_its_spec(plugin: Any) -> None:
    spec = plugin.spec()
    kwargs, faults = convert_options(type(plugin), spec.options, kind=kind_of(plugin), folder=spec.folder)
    if faults:
        raise Broken(
            "its own options are accepted when they come back from a task file",
            faults[0].message,
            "give each option one of the types that task files know: str, int, float, bool, None, Literal, tuple, Spec, File",
        )
    again = type(plugin)(**kwargs)
    if again != plugin or again.signature() != plugin.signature():
        raise Broken(
            "the plugin built from its own spec is equal and has the same signature",
            f"{plugin.signature()} came back as {again.signature()}",
            "do not change options in __post_init__; compute what follows from them in a property",
        )


def hashes(plugin: Any) -> None:
    try:
        hash(plugin)
    except TypeError as error:
        raise Broken(
            "a plugin can be a dictionary key", str(error), "make list options tuples, and dictionaries Spec or fields"
        ) from error


def cannot_be_changed(plugin: Any) -> None:
    options = plugin.option_fields()
    if not options:
        raise NotApplicable("it has no options")
    try:
        setattr(plugin, options[0].name, getattr(plugin, options[0].name))
    except dataclasses.FrozenInstanceError:
        return
    raise Broken("options are fixed once the plugin is built", f"'{options[0].name}' can be assigned", "remove __setattr__")


def pickles(plugin: Any) -> None:
    try:
        again = pickle.loads(pickle.dumps(plugin))
    except Exception as error:  # pickling fails with many types of error
        raise Broken(
            "a plugin travels to other processes by pickle",
            f"{type(error).__name__}: {error}",
            "define the class at module level; keep open files, locks and networks behind functools.cache, not in fields",
        ) from error
    if again != plugin:
        raise Broken(
            "the unpickled plugin equals the original", f"{again!r} is not {plugin!r}", "keep __eq__ and __reduce__ as they are"
        )


def loads_without_heavy_imports(plugin: Any) -> None:
    check_module_is_light(type(plugin).__module__)


def has_a_stable_identity(plugin: Any) -> None:
    """A digest that depends on the options alone, in this process, in an equal plugin and in a fresh process."""
    identity = plugin.identity()
    if not isinstance(identity, str) or not identity:
        raise Broken("identity() returns a text", repr(identity), "return evalharness.digest([...])")
    again = {plugin.identity(), dataclasses.replace(plugin).identity()}
    if again != {identity}:
        raise Broken(
            "identity() is the same every time it is asked for",
            f"{identity} then {', '.join(sorted(again - {identity}))}",
            "build it from the options and the content of files alone, with evalharness.digest",
        )
    _check_identity_elsewhere(plugin, identity)


def _check_identity_elsewhere(plugin: Any, identity: str) -> None:
    elsewhere, heavy = in_fresh_process(IDENTITY, plugin, heavy=("torch", "transformers", "sentence_transformers", "tensorflow"))
    if elsewhere != identity:
        raise Broken(
            "identity() is the same in every process",
            f"{identity} here, {elsewhere} in a fresh process",
            "leave out hash(), set order, times and object addresses",
        )
    if heavy:
        raise Broken(
            "identity() is found without loading the model, so that stored answers cost nothing",
            f"it imports {', '.join(heavy)}",
            "digest files and metadata instead",
        )


EVERY = (has_a_docstring, rebuilds_from_its_spec, hashes, cannot_be_changed, pickles, loads_without_heavy_imports)
