"""Where servers that are started for a while listen."""

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
