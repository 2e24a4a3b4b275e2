"""The real web application on loopback, which goes away and comes back at the same address."""

from contextlib import ExitStack

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from skuscan_server.app import create_app
from skuscan_server.config import ServerConfig
from skuscan_server.services import Services
from tools.fault_bench.serving import serving
from tools.ports import LOOPBACK


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
        self._running = ExitStack()

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
            self._running.enter_context(serving(self._server))

    def stop(self) -> None:
        """Be gone: connections are refused."""
        self._running.close()
        self._server = None
