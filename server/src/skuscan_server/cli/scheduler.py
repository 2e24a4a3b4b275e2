"""`skuscan-server scheduler`."""

import signal
import threading

import click

from skuscan_server.cli.common import log_to_stderr, services_of
from skuscan_server.scheduler import Scheduler


@click.command("scheduler")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Publish changes and renew signatures until stopped. `run` starts one; use this beside a web server of your own.

    \b
    Example:
      skuscan-server scheduler
    """
    log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Scheduler(services_of(ctx)).run(stop)
