"""What models cost: the section `prices` of a system, US dollars per million tokens by the name that a model is sold under."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields

from evalharness.errors import Fault
from evalharness.task.sections import known_children, read_fields
from evalharness.task.strict_yaml import Node

PER = 1_000_000  # tokens


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars for a million tokens read, for a million written, and for those read that a service had cached.

    Without `cached_input`, what was cached counts as all that is read.
    """

    input: float = field(metadata={"at_least": 0})
    output: float = field(metadata={"at_least": 0})
    cached_input: float | None = field(default=None, metadata={"at_least": 0})

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Return what so many tokens cost; of those read, `cached_tokens` were cached.

        >>> price = Price(input=0.15, output=0.6, cached_input=0.075)
        >>> round(price.of(2_000_000, 1_000_000), 9), round(price.of(2_000_000, 1_000_000, 2_000_000), 9)
        (0.9, 0.75)
        """
        cached = self.input if self.cached_input is None else self.cached_input
        return ((input_tokens - cached_tokens) * self.input + cached_tokens * cached + output_tokens * self.output) / PER


def read_prices(node: Node | None, faults: list[Fault]) -> dict[str, Price]:
    """Return the prices of a section by model; what is wrong with one is noted at its own place."""
    if node is None or node.content is None:
        return {}
    if not isinstance(node.content, dict):
        example = "such as {gpt-4o-mini: {input: 0.15, output: 0.60}}"
        faults.append(Fault(f"'prices' must be a mapping of models to prices, {example}", str(node.place)))
        return {}
    read = {name: _read_price(name, child, faults) for name, child in node.content.items()}
    return {name: price for name, price in read.items() if price is not None}


def _read_price(name: str, node: Node, faults: list[Fault]) -> Price | None:
    before, items = len(faults), fields(Price)
    children = known_children(node, f"the price of '{name}'", [item.name for item in items], faults)
    values = read_fields(Price, children, faults)
    needed = [item.name for item in items if item.default is MISSING]
    if isinstance(node.content, dict) and not children.keys() >= set(needed):
        missing = next(key for key in needed if key not in children)
        message = f"the price of '{name}' needs the key '{missing}': US dollars per million tokens"
        faults.append(Fault(message, str(node.place)))
    return Price(**values) if len(faults) == before else None


def price_lines(names: list[str]) -> str:
    """Return the YAML that gives these models a price, with numbers that are but an example.

    >>> print(price_lines(["gpt-4o-mini"]))
    system:
      prices:  # US dollars per million tokens; put in what yours are
        "gpt-4o-mini": {input: 0.15, output: 0.60}
    """
    lines = [f'    "{name}": {{input: 0.15, output: 0.60}}' for name in names]
    return "\n".join(["system:", "  prices:  # US dollars per million tokens; put in what yours are", *lines])
