"""`skuscan-server init`."""

from pathlib import Path

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.cli.common import config_of
from skuscan_server.services import Services


@click.command("init")
@click.option(
    "--offline",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the root keys, such as a plugged-in medium. [default: keys/offline in the data folder]",
)
@json_option
@click.pass_context
def command(ctx: click.Context, offline: Path | None, as_json: bool) -> None:
    """Set the server up, or upgrade its database.

    Makes the data folder, the database, the signing keys and the assortment `default`. The first API key is printed
    once; only its digest is kept. Run it again after an upgrade: what is there stays.

    \b
    Example:
      skuscan-server --data /srv/skuscan init
    """
    config = config_of(ctx, offline)
    key = Services(config).set_up()
    if as_json:
        echo_json({"data_folder": str(config.data_folder), "api_key": key or None})
        return
    click.echo(f"The server is in {config.data_folder}.")
    if key:
        click.echo(f"The first API key, role admin, shown only now:\n  {key}")
    kept = config.offline_keys_folder or config.keys / "offline"
    click.echo(f"Keep the folder {kept} on a medium of its own, away from this machine.")
