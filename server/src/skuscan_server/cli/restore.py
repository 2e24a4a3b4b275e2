"""`skuscan-server restore`."""

from dataclasses import asdict
from pathlib import Path

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.backup.numbers import Renumbered
from skuscan_server.backup.restore import Restore
from skuscan_server.cli.common import actor, config_of, progress_bar

LARGEST_VERSION = 2**53  # what every reader of JSON takes for a whole number


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--min-version",
    type=click.IntRange(1, LARGEST_VERSION),
    default=1,
    help="Lowest number of the next generation. [default: above all numbers that are known, and the time]",
)
@click.option("--replace", is_flag=True, help="Move a server that is there aside.")
@json_option
@click.pass_context
def command(ctx: click.Context, file: Path, min_version: int, replace: bool, as_json: bool) -> None:
    """Make a server out of a backup. Stop a server that runs in that place first.

    Every file is compared with the SHA-256 that was noted. What the backup has published is signed anew, above every
    number that the backup, files that it replaces and devices' reports show, so that devices that were ahead take it.
    If a device still says that it was offered a rollback, restore once more with --min-version above its generation.

    \b
    Example:
      skuscan-server --data /srv/skuscan restore /backups/skuscan-2027-01-31.tar
    """
    with progress_bar("files") as show:
        done = Restore(config_of(ctx), actor(), show).run(file, min_version=min_version, replace=replace)
    if as_json:
        echo_json({"assortments": [asdict(one) for one in done.assortments], "replaced": [*map(str, done.replaced)]})
        return
    for path in done.replaced:
        click.echo(f"What was there is now {path}.")
    for assortment in done.assortments:
        _show(assortment)
    click.echo("Devices that were revoked after the backup must be revoked again: skuscan-server devices list")


def _show(done: Renumbered) -> None:
    if not done.generation:
        click.echo(f"{done.assortment}: nothing had been published.")
        return
    click.echo(f"{done.assortment}: what the backup had published is generation {done.generation} now.")
    if not done.models_signed:
        click.echo("  The models key is kept elsewhere: its model is signed as in the backup.")
    for device, generation in done.unbelieved.items():
        click.echo(f"  Device {device} reports generation {generation}, beyond the clock: not believed.")
