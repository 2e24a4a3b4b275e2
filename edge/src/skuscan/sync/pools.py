"""urllib3's connection pools as a device needs them: a proxy, certificates, and a limit on how long a head may take."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from skuscan.errors import ConfigError
from skuscan.sync.options import SyncOptions


def pool_manager(options: SyncOptions) -> urllib3.PoolManager:
    """The connections of one transport, with the options' proxy, certificates and limits.

    Raises:
        ConfigError: The file of certificates holds none.
    """
    limits = options.limits
    settings: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=limits.connect_seconds, read=limits.gap_seconds),
        "maxsize": limits.parallel_files,
        "retries": False,
        "ca_certs": _certificates(options.ca_file) if options.ca_file else None,
    }
    manager = urllib3.ProxyManager(options.proxy, **settings) if options.proxy else urllib3.PoolManager(**settings)
    manager.pool_classes_by_scheme = _watched_pools(limits.header_seconds)
    return manager


def _certificates(path: Path) -> str:
    """The file of certificates to trust, read once here: urllib3 would take a wrong one for a server that is down."""
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:
        raise ConfigError("certificates to trust are in a PEM file", f"{path}: {error.strerror or error}") from error
    return str(path)


def _watched_pools(seconds: float) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections end when an answer's head is not there in time.

    A socket's timeout is for one receive: a server that sends a byte of its head now and then would hold us for ever.
    """

    class Http(HTTPConnection):
        def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
            with _closed_on_failure(self), _cut_after(self, seconds):
                return super().getresponse()

    class Https(HTTPSConnection):
        def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
            with _closed_on_failure(self), _cut_after(self, seconds):
                return super().getresponse()

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


@contextmanager
def _closed_on_failure(connection: HTTPConnection) -> Iterator[None]:
    """Close an answer whose head is refused after it was read, such as one with two lengths.

    A connection forgets an answer that is to be its last, and a socket stays open while an answer reads from it:
    urllib3's error would leave it to the garbage collector.
    """
    begun: list[HTTPResponse] = []

    def begin(*args: Any, **kwargs: Any) -> HTTPResponse:
        begun.append(HTTPResponse(*args, **kwargs))
        return begun[-1]

    connection.response_class = begin  # type: ignore[assignment]  # it is only called
    try:
        yield
    except BaseException:
        for answer in begun:
            answer.close()
        raise
    finally:
        del connection.response_class


@contextmanager
def _cut_after(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    cut = threading.Event()
    watchdog = threading.Timer(seconds, _cut, (connection, cut))
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
    if cut.is_set():  # http.client takes the end of the stream for the end of the head
        raise TimeoutError(f"no whole answer's head within {seconds:g} s")


def _cut(connection: HTTPConnection, cut: threading.Event) -> None:
    """Wake the thread that receives; it sees the end of the stream."""
    cut.set()
    if connection.sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # past SSLSocket's own, which would unwrap
