"""An HTTP server on loopback that lies, stalls and cuts on request."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.fault_bench.http import Faults, Server


@pytest.fixture
def faults() -> type[Faults]:
    return Faults


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    """Serves folders until the test is over."""
    running: list[tuple[Server, threading.Thread]] = []

    def start(root: Path) -> Server:
        server = Server(root)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
