"""The real web application on loopback, which goes away and comes back at the same address."""

import threading

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from skuscan_server.app import create_app
from skuscan_server.config import ServerConfig
from skuscan_server.services import Services

LOOPBACK = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    """Answers without a line on the console for each file."""

    def log_request(self, *_: object) -> None:
        """Nothing is worth a line here."""

    def log_error(self, *_: object) -> None:
        """Devices that are killed hang up."""


class Web:
    """A web server. A context manager; it does not answer before `start`.

    Attributes:
        services: The server's parts, of this process.
        url: Its address, the same after each start.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self.services = Services(config)
        self._port = 0
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def runs(self) -> bool:
        """Whether it answers."""
        return self._server is not None

    @property
    def url(self) -> str:
        """Raises AssertionError before the first start."""
        assert self._port
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Answer from now on; with a new application, as after a restart."""
        if self._server is None:
            app = create_app(self._config)
            self._server = make_server(LOOPBACK, self._port, app, threaded=True, request_handler=_Quiet)
            self._port = self._server.server_port
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Be gone: connections are refused."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None
