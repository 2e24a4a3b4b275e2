"""`skuscan-server metrics`."""

import signal
import threading

import click

from skuscan.errors import ConfigError
from skuscan_server.cli.common import log_to_stderr, services_of
from skuscan_server.metrics import SHARED_FOLDER_VARIABLE, serve_metrics, shared_folder


@click.command("metrics")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Answer Prometheus at SKUSCAN_SERVER_METRICS_BIND until stopped. `run` starts one when that is set.

    Beside a web server of your own: give it, the scheduler and this the same empty folder in PROMETHEUS_MULTIPROC_DIR.

    \b
    Example:
      skuscan-server metrics
    """
    services, folder = services_of(ctx), shared_folder()
    if not services.config.metrics_bind or folder is None:
        raise ConfigError(
            f"SKUSCAN_SERVER_METRICS_BIND and {SHARED_FOLDER_VARIABLE} are set", "one that is not", "set them both"
        )
    log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    address, _, port = services.config.metrics_bind.rpartition(":")
    try:
        server = serve_metrics(services.database, folder, address, int(port))
    except OSError as error:
        raise ConfigError("metrics can be served", f"{services.config.metrics_bind}: {error.strerror}") from error
    stop.wait()
    server.shutdown()
