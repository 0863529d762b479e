"""Prompt templates: jinja2 in its sandbox, compiled once, with limits on what a template may compute."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalharness.errors import DataError, EvalharnessError, UsageError

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

DEFAULT_PROMPT = "{{ input }}"
MAX_STEPS = 100_000
MAX_LENGTH = 10_000_000
WIDENING = frozenset(["center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"])


@functools.cache
def environment() -> SandboxedEnvironment:
    """Return the sandbox in which templates run: no Python internals, no changes to what they are given."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(["*", "**", "%"])

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            return super().is_safe_attribute(obj, attr, value) and not (isinstance(obj, str) and attr in WIDENING)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "**" or not all(isinstance(value, (int, float)) for value in (left, right)):
                raise OverflowError("a template may use * and % on numbers only, and ** not at all")
            return super().call_binop(context, operator, left, right)

    made = Sandbox(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    made.filters = {
        name: value for name, value in made.filters.items() if name not in ("attr", "center", "format", "indent", "pprint")
    }
    made.globals = {name: value for name, value in made.globals.items() if name in ("dict", "namespace")}
    return made


@dataclass(frozen=True)
class Template:
    """One template and its place. `variables` are the fields that it reads."""

    text: str
    where: str

    @cached_property
    def variables(self) -> frozenset[str]:
        """The names that the template reads and does not set itself."""
        from jinja2 import meta

        return frozenset(meta.find_undeclared_variables(environment().parse(self.text)) - {"range"})

    @cached_property
    def _compiled(self) -> Any:
        return environment().from_string(self.text)

    @cached_property
    def _globals(self) -> dict[str, Any]:
        return dict(self._compiled.globals)

    def render(self, fields: Mapping[str, Any]) -> str:
        """Return the text for the fields of one sample.

        Raises DataError where these fields do not fit the template, UsageError where the template itself is at fault:
        it reaches for Python internals or computes more than a prompt needs.

        >>> Template("{{ input }}?", "task.yaml:9:3").render({"input": "Who"})
        'Who?'
        """
        try:
            # All that the template sees is given, so that the globals are not put together anew for each sample.
            return self._joined({**self._globals, **fields, "range": _Range()})
        except Exception as error:  # whatever an expression over this sample's values may raise
            raise self._explained(error, fields) from None

    def _explained(self, error: Exception, fields: Mapping[str, Any]) -> EvalharnessError:
        from jinja2.exceptions import SecurityError, TemplateError

        if isinstance(error, SecurityError):
            return UsageError(f"{self.where}: the template reaches for what templates may not use: {error}")
        if isinstance(error, (OverflowError, MemoryError, RecursionError)):
            return UsageError(f"{self.where}: the template computes too much: {error}")
        unfit = f"{self.where}: the template does not fit this sample"
        if isinstance(error, TemplateError):
            return DataError(f"{unfit}: {error.message}. Its fields: {', '.join(sorted(fields))}.")
        return DataError(f"{unfit}: {type(error).__name__}: {error}")

    def _joined(self, fields: dict[str, Any]) -> str:
        parts, length = [], 0
        compiled, sandbox = self._compiled, environment()
        for part in compiled.root_render_func(sandbox.context_class(sandbox, fields, compiled.name, compiled.blocks)):
            parts.append(part)
            length += len(part)
            if length > MAX_LENGTH:
                raise OverflowError(f"more than {MAX_LENGTH:,} characters")
        return "".join(parts)


class _Range:
    """`range` with one allowance for a whole rendering, so that nested loops end as well."""

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def __call__(self, *bounds: int) -> range:
        steps = range(*bounds)
        if len(steps) > self._left:
            raise OverflowError(f"loops over more than {MAX_STEPS:,} numbers")
        self._left -= len(steps)
        return steps


def template_fault(text: str) -> str:
    """Return what is wrong with a template before it sees any sample, or an empty string.

    >>> template_fault("{{ input.__class__ }}")
    "reaches for '__class__' in line 1 of the template; names that start with _ are not allowed"
    >>> template_fault("{{ input }}")
    ''
    """
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        tree = environment().parse(text)
        environment().compile(tree)
    except TemplateSyntaxError as error:
        return f"is no valid template: {error.message} (line {error.lineno} of the template)"
    except (TemplateError, RecursionError, SyntaxError, MemoryError) as error:
        return f"is no valid template: {error or type(error).__name__}"
    return _internals_fault(tree)


def _internals_fault(tree: nodes.Template) -> str:
    from jinja2 import nodes

    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", "")  # type: ignore[attr-defined]
        if isinstance(name, str) and name.startswith("_"):
            return f"reaches for '{name}' in line {node.lineno} of the template; names that start with _ are not allowed"
    for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        return f"includes another template in line {other.lineno}; a template stands alone"
    return ""
