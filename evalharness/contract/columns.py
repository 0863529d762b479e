"""A loss as a metric over data, where its tensors are columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from evalharness.contract.losses import Loss
from evalharness.contract.metrics import Metric
from evalharness.contract.sample import Batch, Rows
from evalharness.errors import DataError, shown

# What exists only while a model is trained or runs: no sample has it as a field.
TRAINED_ONLY = frozenset({
    "labels", "token_weight", "hidden", "head_weight", "attention_mask", "document_ids", "router_logits", "router_indices",
    "router_weights", "teacher_logits", "frames",
})  # fmt: skip
_EITHER = ("logits", "probabilities")
_TAKEN_OVER = ("better", "unit", "range", "pool", "scale", "cite", "reference", "tolerance")


class OverColumns(Metric):
    """A loss over columns: each becomes a tensor in float64, a target of whole numbers one in int64.

    It reads what the loss must have; of `logits` and `probabilities`, where either will do, the one that is there; and
    `sample_weight` and the like where a column has that name.
    """

    needs = "hf"

    loss: Loss = dataclasses.field(metadata={"option": False})

    def __post_init__(self) -> None:
        for name in _TAKEN_OVER:
            object.__setattr__(self, name, getattr(self.loss, name))

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name of the loss."""
        return self.loss.name

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns that it must have."""
        return tuple(name for name, needed in self.loss.accepts.items() if needed)

    @property
    def may_read(self) -> tuple[str, ...]:
        """The columns that it takes where they are there."""
        inner = {*self.loss.learned(), *self.loss.carried()}
        return tuple(name for name, needed in self.loss.accepts.items() if not needed and name not in inner)

    @property
    def beyond_data(self) -> tuple[str, ...]:
        """The tensors that it must have and no data has."""
        return tuple(name for name in self.reads if name in TRAINED_ONLY)

    def signature(self) -> str:
        """Return the signature of the loss."""
        return self.loss.signature()

    def measure(self, *_: Any, batch: Batch, **columns: Sequence[Any]) -> Rows:
        """Return the statistics of each row, numpy arrays in float64."""
        import torch

        given = {**columns, **self._optional(batch)}
        reasons = {row: f"no {name}" for name, values in given.items() for row, value in enumerate(values) if value is None}
        kept = [row for row in range(len(batch)) if row not in reasons]
        if not kept:
            return Rows({"nothing": [0.0] * len(batch)}, reasons)
        try:
            tensors = {name: _tensor(self.loss, name, [values[row] for row in kept]) for name, values in given.items()}
            with torch.no_grad():
                statistics = self.loss.statistics(**tensors)
        except DataError as error:
            # Said as a fault of a row, so that the harness finds the row and measures the others.
            raise ValueError(str(error)) from error
        return Rows({name: _spread(values.double(), kept, len(batch)) for name, values in statistics.items()}, reasons)

    def score(self, *_: Any, **sums: Any) -> Any:
        """Return the loss of summed statistics, of each leading axis its own."""
        import numpy as np
        import torch

        return self.loss.score(**{name: torch.from_numpy(np.array(values, np.float64)) for name, values in sums.items()}).numpy()

    def _optional(self, batch: Batch) -> dict[str, Sequence[Any]]:
        """Return the columns that it can do without; raises DataError where both of two that stand for each other miss."""
        found: dict[str, Sequence[Any]] = {name: batch.columns[name] for name in self.may_read if name in batch.columns}
        either = [name for name in _EITHER if name in self.may_read]
        if len(either) == len(_EITHER):
            there = [name for name in either if name in found]
            if not there:
                has = ", ".join(batch.columns)
                raise DataError(f"loss '{self.name}' reads the column 'logits' or 'probabilities'; the data has: {has}")
            found = {name: column for name, column in found.items() if name not in there[1:]}
        return found


def over_columns(metric: Metric) -> Metric:
    """Return a loss as a metric over columns; any other metric as it is."""
    return OverColumns(loss=metric) if isinstance(metric, Loss) else metric


def _tensor(loss: Loss, name: str, values: Sequence[Any]) -> Any:
    """Return a column as a tensor; raises DataError for what is no column of numbers, or of tables of one shape."""
    import numpy as np
    import torch

    try:
        column = np.asarray(values)
        whole = name == "target" and column.dtype.kind in "iu"
        return torch.from_numpy(column.astype(np.int64 if whole else np.float64))
    except (ValueError, TypeError):
        first = next((value for value in values if isinstance(value, str)), values[0])
        text = f"it must hold numbers, or lists of numbers of one length, not {shown(first)}"
        raise DataError(f"loss '{loss.name}' cannot read the column '{name}': {text}") from None


def _spread(values: Any, rows: Sequence[int], count: int) -> Any:
    """Return the values of some rows in a column of all, 0 elsewhere."""
    found = values.new_zeros(count, *values.shape[1:])
    found[list(rows)] = values
    return found.numpy()


def reasons_against(metric: Metric) -> str | None:
    """Return why a metric is no score over data, in words that follow its name; None where it is one."""
    if metric.pool == "batch":
        return "couples the samples of a training batch and is no score over data; use it as a loss"
    if isinstance(metric, OverColumns) and metric.beyond_data:
        known = "over data a loss reads columns such as prediction, target, logits and probabilities"
        return f"is a loss over '{metric.beyond_data[0]}', which only training has; {known}"
    return None
