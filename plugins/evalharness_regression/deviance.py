"""Deviances of exponential families: how much less likely targets are under the predicted mean than under themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from evalharness_regression.errors import Error


def check_power(power: float) -> None:
    """Raise ValueError for a power that no Tweedie distribution has."""
    if 0 < power < 1:
        raise ValueError(f"power is {power}; there is no Tweedie distribution between 0 (normal) and 1 (Poisson)")


def deviance(prediction: Any, target: Any, power: float) -> Any:
    """Return the unit deviance of each pair of numbers that are in the domain of the power.

    It is written in `apart`, (target - prediction) / prediction, as the terms of the textbook's formula are so alike where
    predictions are good that their difference is rounding.
    """
    import numpy as np
    from scipy.special import xlog1py

    if power == 0:
        return (target - prediction) ** 2
    apart = (target - prediction) / prediction
    if power == 1:
        return 2 * prediction * (xlog1py(1 + apart, apart) - apart)
    if power == 2:
        return 2 * (apart - np.log1p(apart))
    left = 2 - power
    raised = np.expm1(left * np.log1p(np.maximum(apart, -1)))
    return 2 * prediction**left * (raised - left * apart) / ((1 - power) * left)


def outside(names: tuple[str, ...], prediction: Any, target: Any, power: float) -> Iterator[tuple[str, Any]]:
    """Yield where numbers are outside the domain of a power, with the reason."""
    if power != 0:
        yield f"{names[0]} is not above 0", prediction <= 0
    if 1 <= power < 2:
        yield f"{names[1]} is below 0", target < 0
    if power >= 2:
        yield f"{names[1]} is not above 0", target <= 0


class _Deviance(Error):
    """A mean deviance at the power that `of_power` holds."""

    unit: ClassVar[str] = ""
    cite: ClassVar[str] = "Jorgensen, The theory of dispersion models, 1997"

    @property
    def of_power(self) -> float:
        """The power of the variance function."""
        raise NotImplementedError

    def refused(self, prediction: Any, target: Any) -> Iterator[tuple[str, Any]]:
        """Yield what is outside the domain."""
        yield from outside(self.reads, prediction, target, self.of_power)

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's deviance; rounding leaves none below 0."""
        import numpy as np

        return {"deviance": np.maximum(deviance(prediction, target, self.of_power), 0)}


class TweedieDeviance(_Deviance):
    """Mean Tweedie deviance of predicted means, 0 or more; the greater the `power`, the less large targets weigh.

    `power` 0 is the squared error, 1 Poisson's deviance, 2 that of gamma, 3 the inverse Gaussian's. Predictions must be
    above 0 unless it is 0, targets at least 0 from 1 on and above 0 from 2 on; other samples are unmeasured.
    `prediction`, `target` and `scale` as in `mae`.

    >>> round(TweedieDeviance(power=1.5).evaluate(prediction=[1.0], target=[4.0]).scores["tweedie_deviance"].value, 9)
    4.0
    """

    name = "tweedie_deviance"
    formula: ClassVar[str] = "2 mean(y^(2-r) / ((1-r)(2-r)) - y p^(1-r) / (1-r) + p^(2-r) / (2-r)), r the power"
    reference: ClassVar[str] = "sklearn.metrics.mean_tweedie_deviance"

    power: float = 1.5

    def __post_init__(self) -> None:
        check_power(self.power)

    @property
    def of_power(self) -> float:
        """The power that is asked for."""
        return self.power


class PoissonDeviance(_Deviance):
    """Mean Poisson deviance of predicted counts, 0 or more.

    A prediction that is not above 0 or a target below 0 is unmeasured. `prediction`, `target` and `scale` as in `mae`.

    >>> PoissonDeviance().evaluate(prediction=[1.0, 2.0], target=[0.0, 2.0]).scores["poisson_deviance"].value
    1.0
    """

    name, of_power = "poisson_deviance", 1.0
    formula: ClassVar[str] = "2 mean(y log(y / p) - y + p)"
    reference: ClassVar[str] = "sklearn.metrics.mean_poisson_deviance"


class GammaDeviance(_Deviance):
    """Mean gamma deviance of predicted positive means, 0 or more: the same for numbers ten times as large.

    A prediction or target that is not above 0 is unmeasured. `prediction`, `target` and `scale` as in `mae`.

    >>> round(GammaDeviance().evaluate(prediction=[2.0], target=[1.0]).scores["gamma_deviance"].value, 4)
    0.3863
    """

    name, of_power = "gamma_deviance", 2.0
    formula: ClassVar[str] = "2 mean(log(p / y) + y / p - 1)"
    reference: ClassVar[str] = "sklearn.metrics.mean_gamma_deviance"
