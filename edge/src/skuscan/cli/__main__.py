"""`python -m skuscan.cli`: the same as `skuscan`."""

from skuscan.cli import main

main()
