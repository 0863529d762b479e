"""The tables of the design reference's statistics, simulated with the shipped code: `python -m benchmarks.statistics`."""
