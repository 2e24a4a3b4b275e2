"""`skuscan-server prune`."""

from dataclasses import asdict

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, services_of


@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@click.pass_context
def command(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Remove files and records that nothing published has needed for some days. The scheduler does it daily.

    Devices that are far behind lose nothing: they fetch what is live. SKUSCAN_SERVER_KEEP_DAYS says how long what was
    live before is kept for those that are fetching it.

    \b
    Example:
      skuscan-server prune --dry-run
    """
    services = services_of(ctx)
    done = services.pruner().run(dry_run=dry_run)
    if not dry_run:
        with services.database.write() as session:
            audit(session, actor(), "prune", f"{done.bytes} bytes")
    if as_json:
        echo_json(asdict(done))
        return
    files = f"{done.metadata} of metadata, {done.targets} targets, {done.blobs} blobs, {done.leftovers} leftovers"
    click.echo(f"{'Would remove' if dry_run else 'Removed'} {done.bytes:,} bytes in files: {files};")
    click.echo(f"and of the database {done.publications} publications and {done.records} records.")
