"""Running the events: uvicorn around the application, in the main thread, until SIGTERM or Ctrl-C."""

import asyncio
import logging
import resource
import signal
import socket

import uvicorn
from sqlalchemy.exc import OperationalError

from skuscan.errors import ConfigError
from skuscan_server.access.devices import find_device
from skuscan_server.access.rate import RateLimit
from skuscan_server.config import ServerConfig
from skuscan_server.db.session import Database
from skuscan_server.errors import BusyError
from skuscan_server.events.application import Caller, EventApplication, Timing
from skuscan_server.events.published import PublishedGenerations
from skuscan_server.metrics import Metrics

SPARE_CONNECTIONS = 100  # beyond the listeners: for answers that say that there is no room
SPARE_FILES = 200  # descriptors beyond the connections
BACKLOG = 2_048  # connections that wait to be accepted, as after a restart
STOP_SECONDS = 5  # s, that streams have to end
DEAD_LINE_SECONDS = 60  # s, that what was sent may stay unconfirmed: a device without power says no goodbye

log = logging.getLogger(__name__)


def serve_events(config: ServerConfig, timing: Timing | None = None) -> None:
    """Tell devices of publications until stopped. Raises ConfigError when the address cannot be listened on."""
    connections = config.event_listeners + SPARE_CONNECTIONS
    _allow_files(connections + SPARE_FILES)
    listening = _listen(config.events_bind)
    application = EventApplication(
        _Callers(config).find,
        PublishedGenerations(config.published).read,
        config.event_listeners,
        Metrics().set_listeners,
        timing,
    )
    server = _Server(application, connections)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn ends first, and then raises the signal again
    log.info("events at %s, for %d devices", config.events_bind, config.event_listeners)
    asyncio.run(_run(application, server, listening))


class _Callers:
    """Whose tokens are whose."""

    def __init__(self, config: ServerConfig) -> None:
        self._database = Database(config.url)
        self._rate = RateLimit(config.device_rate, config.device_burst)

    def find(self, token: str) -> Caller:
        """Look a token up. Raises AccessError, RateError or BusyError."""
        try:
            with self._database.read() as session:
                device = find_device(session, token)
        except OperationalError as error:
            raise BusyError("the database answers in time", "it is busy or away", "try again") from error
        self._rate.check(device.id)
        return Caller(device.id, device.assortment)


class _Server(uvicorn.Server):
    """Ends the streams before it waits for them."""

    def __init__(self, application: EventApplication, connections: int) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                limit_concurrency=connections,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._application = application

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See the class."""
        self._application.end_streams()
        await super().shutdown(sockets)


async def _run(application: EventApplication, server: uvicorn.Server, listening: socket.socket) -> None:
    watching = asyncio.create_task(application.watch())
    serving = asyncio.create_task(server.serve([listening]))
    await asyncio.wait({watching, serving}, return_when=asyncio.FIRST_COMPLETED)
    if watching.done():  # a bug: without its watch this process is of no use
        server.should_exit = True
        await serving
        watching.result()
    watching.cancel()


def _listen(bind: str) -> socket.socket:
    host, _, port = bind.rpartition(":")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise ConfigError("events can be served", f"{bind}: {error}", "set SKUSCAN_SERVER_EVENTS_BIND") from error
    # Connections inherit it (tcp(7)); a heartbeat that is not confirmed ends the connection.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_LINE_SECONDS * 1_000)
    return listening


def _allow_files(wanted: int) -> None:
    """A connection is a descriptor, and 1,024 is a usual limit that a process may raise by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise ConfigError(f"{wanted} files may be open", f"a limit of {hard}", "raise it: LimitNOFILE, ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
