"""`skuscan-server devices list | revoke`."""

import click
from sqlalchemy import select

from skuscan.cli.options import echo_json, json_option
from skuscan_server.access.devices import revoke as revoke_device
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, services_of
from skuscan_server.db.models import Device


@click.group("devices")
def command() -> None:
    """List and revoke devices."""


@command.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Show every device and what it last reported.

    \b
    Example:
      skuscan-server devices list
    """
    with services_of(ctx).database.read() as session:
        devices = session.scalars(select(Device).order_by(Device.name, Device.id)).all()
    if as_json:
        hidden = {"token_sha256"}
        echo_json([{c.name: getattr(d, c.name) for c in Device.__table__.c if c.name not in hidden} for d in devices])
        return
    for device in devices:
        state = "revoked" if device.revoked_at else device.state or "never reported"
        click.echo(f"{device.id}\t{device.name}\t{device.assortment}\tgeneration {device.generation}\t{state}")


@command.command("revoke")
@click.argument("device_id")
@click.pass_context
def revoke(ctx: click.Context, device_id: str) -> None:
    """Refuse a device from its next request on. What it has, it keeps.

    \b
    Example:
      skuscan-server devices revoke 4be2...
    """
    with services_of(ctx).database.write() as session:
        revoke_device(session, device_id)
        audit(session, actor(), "device revoke", device_id)
    click.echo(f"{device_id} is revoked.")
