"""`skuscan-server audit`."""

from datetime import datetime, timezone

import click
from sqlalchemy import select

from skuscan.cli.options import echo_json, json_option
from skuscan_server.cli.common import services_of
from skuscan_server.db.models import AuditEntry


@click.command("audit")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show who did what, the oldest first: time in UTC, who, what, and to what.

    \b
    Example:
      skuscan-server audit
    """
    with services_of(ctx).database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    rows = [
        {
            "at": datetime.fromtimestamp(entry.at, timezone.utc).isoformat(timespec="seconds"),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
        }
        for entry in entries
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo("\t".join(row.values()))
