"""Data: from the raw items of a dataset to samples with fields and stable ids."""

from __future__ import annotations

from evalharness.data.samples import DataFault, SampleReader, data_digests, read_pool, read_samples

__all__ = ["DataFault", "SampleReader", "data_digests", "read_pool", "read_samples"]
