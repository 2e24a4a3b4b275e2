"""`skuscan-server events`."""

import click

from skuscan_server.cli.common import config_of, log_to_stderr


@click.command("events")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Tell devices of publications at SKUSCAN_SERVER_EVENTS_BIND until stopped. `run` starts one.

    Beside a web server of your own: set the bind, e.g. to 127.0.0.1:8001, and route /api/v1/events to it.

    \b
    Example:
      skuscan-server events
    """
    from skuscan.errors import ConfigError
    from skuscan_server.db.schema import check
    from skuscan_server.db.session import Database
    from skuscan_server.events.server import serve_events

    config = config_of(ctx)
    if not config.events_bind:
        raise ConfigError("SKUSCAN_SERVER_EVENTS_BIND is set", "nothing", "set it to address:port")
    check(Database(config.url))
    log_to_stderr()
    serve_events(config)
