"""`skuscan-server api-key`."""

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.access.operators import KEY_NAME_LENGTH, Role, create_api_key
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, services_of
from skuscan_server.errors import CatalogueError


@click.command("api-key")
@click.argument("name")
@click.option("--role", type=click.Choice([role.name.lower() for role in Role]), required=True, help="What it may do.")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, role: str, as_json: bool) -> None:
    """Make an API key for an operator or a program. It is printed once; only its digest is kept.

    A reader looks, an editor changes and publishes the catalogue, an admin enrols and revokes devices, too.

    \b
    Example:
      skuscan-server api-key till-system --role editor
    """
    if not name.isprintable() or not 0 < len(name) <= KEY_NAME_LENGTH:
        raise CatalogueError(f"a key's name has 1 to {KEY_NAME_LENGTH} printable characters", repr(name[:40]))
    with services_of(ctx).database.write() as session:
        key = create_api_key(session, name, Role[role.upper()])
        audit(session, actor(), "api key", f"{name}: {role}")
    if as_json:
        echo_json({"name": name, "role": role, "api_key": key})
    else:
        click.echo(key)
