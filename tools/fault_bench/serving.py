"""Servers on loopback that run beside a test, and end with it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socketserver import BaseServer

from tools.fault_bench.http import Server

POLL_SECONDS = 0.01  # s until a server notices that it is to end


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """A server that answers meanwhile."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving_folders() -> Iterator[Callable[[Path], Server]]:
    """What serves folders, until the end; whoever stalls then goes home."""
    with ExitStack() as running:

        def serve(folder: Path) -> Server:
            server = Server(folder)
            running.enter_context(serving(server))
            running.callback(server.released.set)
            return server

        yield serve
