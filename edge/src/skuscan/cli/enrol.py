"""`skuscan enrol URL TOKEN`."""

import platform
from pathlib import Path

import click

from skuscan.cli.options import connection_options, echo_json, json_option, store_option


@click.command("enrol")
@click.argument("url")
@click.argument("token")
@click.option("--name", default=platform.node, show_default="this host's name", help="How operators see this device.")
@connection_options
@store_option
@json_option
def command(
    url: str,
    token: str,
    name: str,
    proxy: str | None,
    ca_file: Path | None,
    insecure_http: bool,
    store: Path,
    as_json: bool,
) -> None:
    """Make this machine a device of the server at URL.

    The TOKEN comes from `skuscan-server enrol-token`. It works once, and pins the server's signing root.

    \b
    Example:
      skuscan enrol https://catalogue.example.com sk1.default.Jm9t...
    """
    from skuscan.sync import SyncOptions, enrol

    identity = enrol(url, token, store, name, SyncOptions(proxy, ca_file, insecure_http))
    if as_json:
        echo_json({"device_id": identity.device_id, "assortment": identity.assortment, "store": str(store)})
    else:
        click.echo(f"Enrolled as {identity.device_id}, assortment {identity.assortment}. Next: skuscan sync")
