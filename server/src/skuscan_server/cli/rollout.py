"""`skuscan-server rollout`."""

from dataclasses import asdict

import click
from sqlalchemy import select

from skuscan.cli.options import echo_json, json_option
from skuscan_server.builder.rollout import RolloutStatus, rollout_status, set_rollout
from skuscan_server.catalogue.assortments import DEFAULT, find_assortment
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, services_of
from skuscan_server.cli.publish import BUILDER_WAIT
from skuscan_server.db.models import Assortment
from skuscan_server.services import Services


@click.command("rollout")
@click.option("--assortment", default=DEFAULT, show_default=True, help="Whose share is changed.")
@click.option("--percent", type=click.IntRange(0, 100), help="Share of devices that take what is published; 0 stops.")
@json_option
@click.pass_context
def command(ctx: click.Context, assortment: str, percent: int | None, as_json: bool) -> None:
    """Show which devices have what, or let more devices, or no more, take what is published.

    The share holds for later publications, too. Devices that have it already keep it.

    \b
    Example:
      skuscan-server rollout
      skuscan-server rollout --assortment store-17 --percent 25
      skuscan-server rollout --percent 0
    """
    services = services_of(ctx)
    if percent is not None:
        _change(services, assortment, percent)
    with services.database.read() as session:
        rows = session.scalars(select(Assortment).order_by(Assortment.name)).all()
        found = [rollout_status(session, row) for row in rows if percent is None or row.name == assortment]
    if as_json:
        echo_json([asdict(status) for status in found])
        return
    for status in found:
        _show(status)


def _change(services: Services, assortment: str, percent: int) -> None:
    with services.database.write() as session:
        find_assortment(session, assortment)
        audit(session, actor(), "rollout", f"{assortment}: {percent}%")
    repository = services.repository(assortment)
    set_rollout(services.database, repository, assortment, percent, lease=services.config.lease, wait=BUILDER_WAIT)


def _show(status: RolloutStatus) -> None:
    if not status.generation:
        click.echo(f"{status.assortment}: nothing published yet; then for {status.percent}% of devices")
        return
    pending = "" if status.percent == status.published_percent else f", the next one for {status.percent}%"
    click.echo(f"{status.assortment}: generation {status.generation} for {status.published_percent}%{pending}")
    for generation, count in status.devices.items():
        click.echo(f"  {count}\t" + (f"generation {generation}" if generation else "not reported yet"))
    if status.rejected:
        click.echo(f"  {status.rejected}\trejected generation {status.generation}: see skuscan-server devices list")
