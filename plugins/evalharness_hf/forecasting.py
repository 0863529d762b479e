"""What requests will take, counted by the tokenizer before the network is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import evalharness as eh
from evalharness_hf.answers import SCORED, Local


def forecast(local: Local, requests: Sequence[eh.Request]) -> eh.Forecast:
    """Return the tokens that requests hold, that may be written, and that stand in the tree of all of them but once.

    A request that cannot be put into tokens, or that the context does not hold, takes none: it fails before it is asked.
    """
    generated = [request for request in requests if isinstance(request, eh.Generate)]
    continued = [branch for branch in local.continued(generated) if branch.tokens]
    scored = (local.branches([request for request in requests if isinstance(request, kind)]) for kind in SCORED)
    found = [branch for branch in chain.from_iterable(scored) if branch.tokens]
    embedded = sum(local.size(request).length for request in requests if isinstance(request, eh.Embed))
    return eh.Forecast(
        requests=len(requests),
        input_tokens=embedded + sum(branch.tokens for branch in [*continued, *found]),
        most_output_tokens=sum(branch.nodes - branch.tokens for branch in continued),
        shared_tokens=sum(branch.shared for branch in continued)
        + sum(branch.tokens - branch.nodes + branch.shared for branch in found),
        counted=True,
    )
