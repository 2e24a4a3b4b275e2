"""`skuscan-server bundle export`."""

import re
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.bundle_export import BundleRepository, export_bundle
from skuscan_server.catalogue.assortments import find_assortment
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, assortment_option, progress_bar, services_of

MOST_DAYS = 365  # days; the root and the model are signed for as long


def _days(ctx: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,2})d", value)
    if match is None or int(match[1]) > MOST_DAYS:
        raise click.BadParameter(f"{value!r} is not a number of days from 1d to {MOST_DAYS}d")
    return timedelta(days=int(match[1]))


@click.group("bundle")
def command() -> None:
    """Carry a catalogue to devices that do not reach the server."""


@command.command("export")
@assortment_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new .tar file, or a new folder.")
@click.option("--valid", callback=_days, metavar="30d", help="Sign for so many days. [default: as published, 2 days]")
@json_option
@click.pass_context
def export(ctx: click.Context, assortment: str, out: Path, valid: timedelta | None, as_json: bool) -> None:
    """Write what is published into a folder or a tar, for `skuscan bundle import` on a device.

    With --valid it is signed for longer than what is online. Until then, who holds it can show it to devices that have
    seen nothing newer: choose as few days as the way takes.

    \b
    Example:
      skuscan-server bundle export --out /media/usb/catalogue.tar
      skuscan-server bundle export --assortment store-17 --out /media/usb/store-17 --valid 30d
    """
    services = services_of(ctx)
    with services.database.read() as session:
        find_assortment(session, assortment)
    repository = BundleRepository(services.config.published, assortment, services.keys)
    with progress_bar("files") as show:
        done = export_bundle(repository, assortment, services.published, out, valid, show)
    with services.database.write() as session:
        audit(session, actor(), "bundle export", f"{assortment}: generation {done.generation} until {done.expires}")
    if as_json:
        echo_json(asdict(done) | {"path": str(done.path), "expires": done.expires.isoformat()})
        return
    click.echo(f"Generation {done.generation} of {assortment}: {done.files} files, {done.bytes:,} bytes in {out}.")
    longer = f", signed for {valid.days} days instead of as published" if valid else ""
    click.echo(f"Devices take it until {done.expires:%Y-%m-%d %H:%M} UTC{longer}.")
