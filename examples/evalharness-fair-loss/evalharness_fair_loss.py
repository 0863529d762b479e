"""Fair's loss as a plugin of evalharness."""

import evalharness as eh


@eh.loss(
    unit="squared target units",
    tags=("convex", "differentiable", "robust", "bounded gradient"),
    formula="c^2 (|e| / c - log(1 + |e| / c)); e = prediction - target",
    gradient="e / (1 + |e| / c)",
    cite="Fair, On the Robust Estimation of Econometric Models, Annals of Economic and Social Measurement 3, 1974",
    reference="closed form",
)
def fair(prediction, target, *, c: float = 1.4):
    """Mean of Fair's loss, in squared target units, 0 or more: half the square near 0, `c` times the size far from it."""
    size = (prediction - target).abs() / c
    return c**2 * (size - size.log1p()), size.detach() * 0 + 1


@eh.hookimpl
def evalharness_losses():
    """Return the losses of this package."""
    return [fair]
