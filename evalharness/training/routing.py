"""What the routers of a mixture-of-experts model do: logits, weights and chosen experts, by forward hooks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from evalharness.errors import UsageError

_NAMED = ("Router", "TopKGate", "MoEGate")
# What models call the bias that is added to scores for the choice alone.
_CORRECTIONS = ("e_score_correction_bias", "expert_bias", "balancing_biases")
_SUM_TO_ONE = 1e-2  # probabilities may come in half precision
_SUPPORTED = (
    "supported are routers that return the indices (tokens, chosen) of the experts they chose, and those without a correction "
    "bias that have the attribute 'top_k', a logit an expert, and choose the largest"
)


@dataclass(frozen=True)
class Choice:
    """What one router made of the tokens of one forward pass, a row a token, padding removed.

    - `logits` (tokens, experts), with their gradient; `weights` (tokens, chosen) or None; `indices` (tokens, chosen).
    - `samples` (tokens,), the row of the batch that each token stands in, None where no mask says.
    """

    logits: Any
    weights: Any
    indices: Any
    samples: Any


@dataclass(frozen=True)
class Router:
    """A router module, and at which place of its output the logits stand.

    - `correction`: the bias (experts,) that is added to its scores for the choice alone; None where it has none.
    """

    name: str
    module: Any
    place: int
    correction: Any = None

    def read(self, output: Any) -> tuple[Any, Any, Any]:
        """Return logits, weights and indices, a row a token; raises UsageError where the output does not tell them."""
        parts = output if isinstance(output, tuple) else (output,)
        logits = parts[self.place]
        others = [part for place, part in enumerate(parts) if place != self.place and hasattr(part, "dtype")]
        weights = next((part for part in others if part.is_floating_point()), None)
        found = self._chosen(parts, logits, weights)
        return tuple(None if part is None else part.reshape(-1, part.shape[-1]) for part in (logits, weights, found))  # type: ignore[return-value]

    def _chosen(self, parts: tuple[Any, ...], logits: Any, weights: Any) -> Any:
        whole = [part for part in parts if hasattr(part, "dtype") and not part.is_floating_point()]
        if len(whole) == 1 and parts[0] is not whole[0]:
            return whole[0]
        if len(whole) == 1 and weights is not None and weights.shape[-1] == 1:
            # One expert a token, given as a mask from which tokens beyond an expert's capacity are gone.
            return logits.argmax(-1, keepdim=True)
        if not whole and self.correction is None and self._chooses_the_largest(logits):
            return logits.detach().topk(self.module.top_k, -1).indices
        kind = type(self.module).__name__
        why = (
            "" if self.correction is None else ", and corrects its scores by a bias, so that they need not be its largest logits"
        )
        raise UsageError(f"the router '{self.name}' ({kind}) does not say which experts it chose{why}; {_SUPPORTED}")

    def _chooses_the_largest(self, logits: Any) -> bool:
        experts = getattr(self.module, "num_experts", logits.shape[-1])  # others where experts are products of keys
        return bool(getattr(self.module, "top_k", None)) and experts == logits.shape[-1]

    def unnormalised(self, logits: Any) -> Any:
        """Return the logits; raises UsageError where they are probabilities, of which a loss would take the softmax again."""
        values = logits.detach()
        if len(values) and bool((values >= 0).all()) and bool(((values.sum(-1) - 1).abs() < _SUM_TO_ONE).all()):
            kind = type(self.module).__name__
            raise UsageError(
                f"the router '{self.name}' ({kind}) gives probabilities in the place of logits, so no loss can read its logits; "
                f"its choices can be counted"
            )
        return logits

    def matrix(self, experts: int) -> Any:
        """Return its matrix (experts, width); raises UsageError where it has none or several of that height."""
        found = [item for item in self.module.parameters() if item.ndim == 2 and item.shape[0] == experts]
        if len(found) != 1:
            raise UsageError(f"the router '{self.name}' has {len(found)} matrices of {experts} rows, so none is its weights")
        return found[0]


class Routing:
    """Records what the routers of a model do in its forward passes, within a `with` block; no hook outlives the block.

    Choices are those that the router gives, also where a bias corrects its scores. One that gives logits alone is taken to
    choose the `top_k` largest, which is exactly its choice where no bias corrects them (Llama 4), and is refused where one
    does. The mask is the keyword argument
    `attention_mask` (batch, tokens) of the model's forward; without one every token counts, and belongs to no known
    sample. Tokens of a decoder behind an encoder have another mask, so all of theirs count.

    >>> import torch
    >>> class TinyRouter(torch.nn.Module):
    ...     def forward(self, hidden):
    ...         best = hidden.softmax(-1).topk(2)
    ...         return hidden, best.values, best.indices
    >>> model = torch.nn.Sequential(TinyRouter())
    >>> with Routing(model) as routing:
    ...     _ = model(torch.tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0]]))
    >>> routing.tensors()["router_indices"]
    (tensor([[0, 1],
            [1, 2]]),)

    Raises UsageError where the model has no router, and in its forward pass where a router does not tell its choice.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.routers: tuple[Router, ...] = tuple(_routers(model))
        if not self.routers:
            raise UsageError(f"{_inner(model)} has no router: it is no mixture-of-experts model, so it has no 'router_logits'")
        self.loads: dict[str, Any] = {}
        self.padding: Any = None  # a mask (batch, tokens) in the place of the model's, for packed rows, which have none
        self._outputs: dict[str, tuple[Any, Any, Any]] = {}
        self._mask: Any = None
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        self.loads, self._outputs = {}, {}
        self._hooks = [self.model.register_forward_pre_hook(self._begin, with_kwargs=True)]
        self._hooks += [router.module.register_forward_hook(self._taker(router)) for router in self.routers]
        return self

    def __exit__(self, *_: Any) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def choices(self) -> list[tuple[Router, Choice]]:
        """Return what each router made of the last forward pass, in the order of the layers."""
        found = [(router, self._choice(router)) for router in self.routers if router.name in self._outputs]
        if not found:
            raise UsageError(f"no router of {_inner(self.model)} ran: call the model within the with block first")
        return found

    def tensors(self, wanted: Collection[str] = ("router_logits", "router_indices")) -> dict[str, tuple[Any, ...]]:
        """Return those of `router_logits`, `router_indices`, `router_weights` that are wanted, a layer each, as losses read them.

        They are those of the last forward pass; `router_weights` are the routers' matrices (experts, width). Raises UsageError
        where logits are wanted of a router that gives probabilities (Gemma 4).
        """
        read: dict[str, Callable[[Router, Choice], Any]] = {
            "router_logits": lambda router, choice: router.unnormalised(choice.logits),
            "router_indices": lambda _, choice: choice.indices,
            "router_weights": lambda router, choice: router.matrix(choice.logits.shape[-1]),
        }
        return {
            name: tuple(take(router, choice) for router, choice in self.choices())
            for name, take in read.items()
            if name in wanted
        }

    def counts(self) -> Any:
        """Return how often each expert was chosen in the last forward pass, (batch, layers, experts), int64.

        This is the column `router_counts`. Without a mask, or behind one of other tokens, the batch is one sample.
        """
        import torch

        batch = 1 if self._mask is None else len(self._mask)
        return torch.stack([_counted(choice, batch) for _, choice in self.choices()], 1)

    def _begin(self, _: Any, __: Any, inputs: Mapping[str, Any]) -> None:
        mask = inputs.get("attention_mask") if self.padding is None else self.padding
        self._mask = mask if getattr(mask, "ndim", 0) == 2 else None
        self._outputs = {}

    def _taker(self, router: Router) -> Any:
        def take(_: Any, __: Any, output: Any) -> None:
            logits, _weights, indices = self._outputs[router.name] = router.read(output)
            kept = self._kept(router, len(logits))
            load = (indices if kept is None else indices[kept]).flatten().bincount(minlength=logits.shape[-1])
            self.loads[router.name] = self.loads.get(router.name, 0) + load

        return take

    def _choice(self, router: Router) -> Choice:
        # Not in the hook: checkpointing would miss what autograd saves there when it computes the layer again.
        logits, weights, indices = self._outputs[router.name]
        kept = self._kept(router, len(logits))
        if kept is None:
            return Choice(logits, weights, indices, None)
        weights = None if weights is None else weights[kept]
        return Choice(logits[kept], weights, indices[kept], self._mask.nonzero()[:, 0])

    def _kept(self, router: Router, rows: int) -> Any:
        """Return which rows are tokens, by number; None where no mask is theirs."""
        behind = _inner_config(self.model, "is_encoder_decoder") and ".decoder." in f".{router.name}."
        if self._mask is None or behind or self._mask.numel() != rows:
            return None
        return self._mask.flatten().nonzero()[:, 0]


def _counted(choice: Choice, batch: int) -> Any:
    """Return (batch, experts), the choices of one router by sample."""
    experts = choice.logits.shape[-1]
    if choice.samples is None:
        return choice.indices.flatten().bincount(minlength=experts).view(1, experts)
    return (choice.samples[:, None] * experts + choice.indices).flatten().bincount(minlength=batch * experts).view(batch, experts)


def _routers(model: Any) -> Iterator[Router]:
    """Yield the routers of a model: those that its library records, otherwise modules that are called so."""
    recorded = list(_recorded(model))
    if recorded:
        yield from recorded
        return
    for name, module in model.named_modules():
        if type(module).__name__.endswith(_NAMED):
            yield Router(name, module, 0, _correction(model, name))


def _recorded(model: Any) -> Iterator[Router]:
    """Yield the routers that models of the transformers library name for recording, in the order of the layers."""
    specs: list[Any] = []
    for module in model.modules():
        given = (getattr(module, "_can_record_outputs", None) or {}).get("router_logits", [])
        specs += [spec for spec in (given if isinstance(given, list) else [given]) if getattr(spec, "target_class", None)]
    for name, module in model.named_modules():
        for spec in specs:
            if isinstance(module, spec.target_class) and (not spec.layer_name or spec.layer_name in name):
                yield Router(name, module, spec.index, _correction(model, name))
                break


def _correction(model: Any, router: str) -> Any:
    """Return the correction bias of a router, which it holds itself or the block around it; None where there is none."""
    within, around = model.get_submodule(router), model.get_submodule(router.rpartition(".")[0])
    for module, deep in ((within, True), (around, False)):
        for name, tensor in [*module.named_buffers(recurse=deep), *module.named_parameters(recurse=deep)]:
            if name.rpartition(".")[2] in _CORRECTIONS:
                return tensor
    return None


def _inner(model: Any) -> str:
    return type(getattr(model, "module", model)).__name__


def _inner_config(model: Any, name: str) -> bool:
    return bool(getattr(getattr(getattr(model, "module", model), "config", None), name, False))
