"""`skuscan-server run`."""

import tempfile

import click

from skuscan_server.cli.common import config_of, log_to_stderr, services_of
from skuscan_server.supervisor import environment, events_address, gunicorn_command, own_command, supervise


@click.command("run")
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="Address and port to listen on.")
@click.pass_context
def command(ctx: click.Context, bind: str) -> int:
    """Serve devices and operators, and publish changes, until stopped.

    Starts gunicorn, one scheduler, what tells devices of publications (at SKUSCAN_SERVER_EVENTS_BIND, else at the port
    after that of --bind), and what answers Prometheus if SKUSCAN_SERVER_METRICS_BIND is set. TLS belongs to the web
    server in front. SIGTERM or Ctrl-C stops everything.

    \b
    Example:
      skuscan-server run --bind 0.0.0.0:8000
    """
    log_to_stderr()
    services_of(ctx)  # a server that was not set up is said here, in one line
    config = config_of(ctx)
    events = config.events_bind or events_address(bind)
    commands = [gunicorn_command(config, bind), own_command("scheduler"), own_command("events")]
    if not config.metrics_bind:
        return supervise(commands, environment(config.data_folder, events))
    with tempfile.TemporaryDirectory(prefix="skuscan-counts-") as counts:
        return supervise([*commands, own_command("metrics")], environment(config.data_folder, events, counts))
