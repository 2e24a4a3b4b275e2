"""`skuscan-server enrol-token`."""

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.access.devices import create_enrolment_token
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, assortment_option, services_of


@click.command("enrol-token")
@assortment_option
@json_option
@click.pass_context
def command(ctx: click.Context, assortment: str, as_json: bool) -> None:
    """Make a token that enrols one device, once. It pins the assortment's signing root.

    \b
    Example:
      skuscan-server enrol-token --assortment store-17
    """
    services = services_of(ctx)
    root = services.repository(assortment).root_sha256()
    with services.database.write() as session:
        token = create_enrolment_token(session, assortment, root, services.config.enrolment_days)
        audit(session, actor(), "enrolment token", assortment)
    if as_json:
        echo_json({"token": str(token), "assortment": assortment, "days": services.config.enrolment_days})
    else:
        click.echo(str(token))
