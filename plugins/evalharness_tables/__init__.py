"""Tables of numbers that come with packages: real data for classification and regression without a network."""

from __future__ import annotations

import evalharness as eh


@eh.hookimpl
def evalharness_datasets() -> list[type[eh.Dataset]]:
    """Return the data set of tables, and that of parts."""
    from evalharness_tables.parts import Part
    from evalharness_tables.table import Table

    return [Part, Table]
