"""What a training task trains: `hf` (a language model, or adapters on it), `config` (from scratch), `mlp` and `linear`."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_networks() -> list[type[eh.Network]]:
    from evalharness_networks.scratch import Scratch
    from evalharness_networks.tables import Linear, Perceptron
    from evalharness_networks.weights import Weights

    return [Weights, Scratch, Linear, Perceptron]
