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
    continued = [each for each in local.continued(generated) if each.tokens]
    scored = (local.additions([request for request in requests if isinstance(request, kind)]) for kind in SCORED)
    found = [each for each in chain.from_iterable(scored) if each.tokens]
    embedded = sum(local.size(request).length for request in requests if isinstance(request, eh.Embed))
    return eh.Forecast(
        requests=len(requests),
        input_tokens=embedded + sum(each.tokens for each in [*continued, *found]),
        most_output_tokens=sum(each.nodes - each.tokens for each in continued),
        shared_tokens=sum(each.shared for each in continued) + sum(each.tokens - each.nodes + each.shared for each in found),
        counted=True,
    )
