"""The demo: `python -m tools.demo`, or `make demo`."""
