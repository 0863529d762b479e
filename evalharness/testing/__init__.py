"""The conformance kit: checks that any plugin, ours or a stranger's, keeps its contract.

In a test of your own, with a class or with an instance:

>>> from evalharness.testing import check_metric
>>> import evalharness as eh
>>> outcomes = check_metric(eh.load_metric("exact_match"))
>>> {outcome.status for outcome in outcomes} <= {"passed", "skipped"}
True

A check that fails raises ConformanceError, an AssertionError that says for each failed check what the contract expects,
what was seen, and how to mend it. Under pytest the fixture `conformance` is the function `check`.
"""

from __future__ import annotations

from evalharness.testing.agreement import agree
from evalharness.testing.losses import check_loss
from evalharness.testing.metrics import check_metric
from evalharness.testing.models import check_model
from evalharness.testing.outcomes import ConformanceError, Outcome
from evalharness.testing.packages import check, check_plugin
from evalharness.testing.retrievers import check_retriever
from evalharness.testing.texts import check_dataset, check_transform

__all__ = [
    "ConformanceError", "Outcome", "agree", "check", "check_dataset", "check_loss", "check_metric", "check_model",
    "check_plugin", "check_retriever", "check_transform",
]  # fmt: skip
