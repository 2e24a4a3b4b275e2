"""`python -m skuscan_server.cli`: what `run` starts its scheduler with."""

from skuscan_server.cli import main

if __name__ == "__main__":
    main()
