"""The tests; a package, for `python -m tests.layers` to find ours whatever else is installed."""
