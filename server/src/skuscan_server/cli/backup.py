"""`skuscan-server backup`."""

from dataclasses import asdict
from pathlib import Path

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.backup.save import back_up
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, progress_bar, services_of

NAMED = 5  # damaged files that are named


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@click.pass_context
def command(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write the whole server into one tar: database, pictures, published files, models, and the keys of daily work.

    The server may run meanwhile. The root keys are not in it: keep them on a medium of their own. Whoever has the file
    can publish products in the retailer's name: keep it as safe as the server. Make one after each ceremony with keys.

    \b
    Example:
      skuscan-server backup /backups/skuscan-2027-01-31.tar
    """
    services = services_of(ctx)
    with progress_bar("files") as show:
        done = back_up(services, file, show)
    with services.database.write() as session:
        audit(session, actor(), "backup", file.name)
    if as_json:
        echo_json(asdict(done))
        return
    click.echo(f"{done.files} files, {done.bytes:,} bytes in {file}.")
    if done.damaged:
        click.echo(f"{len(done.damaged)} of them are damaged on this server: {', '.join(done.damaged[:NAMED])}")
