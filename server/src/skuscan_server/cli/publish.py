"""`skuscan-server publish`."""

from dataclasses import asdict

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.builder.publish import BASE, DELTA
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, assortment_option, progress_bar, services_of

BUILDER_WAIT = 600.0  # s, for a publication that the scheduler is making


@click.command("publish")
@assortment_option
@click.option("--base", is_flag=True, help="Build a new base and index, not a delta.")
@click.option("--force", is_flag=True, help="Publish a new generation even when nothing changed.")
@json_option
@click.pass_context
def command(ctx: click.Context, assortment: str, base: bool, force: bool, as_json: bool) -> None:
    """Sign what changed since the last publication, for devices to fetch. Does nothing when nothing changed.

    \b
    Example:
      skuscan-server publish
      skuscan-server publish --assortment store-17 --base
    """
    services = services_of(ctx)
    with services.database.write() as session:
        audit(session, actor(), "publish", assortment)
    with progress_bar("features") as show:
        done = services.publish(
            assortment, force=BASE if base else DELTA if force else "", wait=BUILDER_WAIT, progress=show
        )
    if as_json:
        echo_json(asdict(done) if done else None)
    elif done is None:
        click.echo("Nothing changed since the last publication.")
    else:
        click.echo(
            f"Generation {done.generation} of {assortment}: {done.products} products, {done.references} references, "
            f"as a {done.kind} ({done.put} records put, {done.withdrawn} withdrawn)."
        )
