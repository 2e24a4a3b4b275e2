"""`skuscan-server keys init | show | rotate | add | revoke | expiry`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.catalogue.products import audit
from skuscan_server.cli.common import actor, config_of, services_of
from skuscan_server.key_office import MOST_DAYS, ROLES, KeyOffice, Outcome
from skuscan_server.keys import init_keys

Function = TypeVar("Function", bound=Callable[..., Any])
SHOWN_DIGITS = 12  # of a key's id

_role = click.argument("role", type=click.Choice(ROLES))
_folder = click.Path(file_okay=False, path_type=Path)
_offline = click.option(
    "--offline", type=_folder, prompt="Folder of the offline root keys", help="Folder of the root keys. Asked for."
)
_assortment = click.option("--assortment", default="", help="Whose. [default: all]")


@click.group("keys")
def command() -> None:
    """Change who signs, and for how long. Needs the offline root keys, which the running server does not."""


@command.command("init")
@_offline
@click.pass_context
def init(ctx: click.Context, offline: Path) -> None:
    """Make the root keys in a folder of their own, such as a plugged-in medium, and the models key in the server's.

    `skuscan-server init` comes after it, with the same --offline.

    \b
    Example:
      skuscan-server keys init --offline /media/root-keys
    """
    keys = init_keys(config_of(ctx).keys, offline)
    click.echo(f"Root keys are in {offline}, the models key in {keys.path}.")
    click.echo(f"Go on with: skuscan-server init --offline {offline}")


@command.command("show")
@click.option("--offline", type=_folder, help="Folder of the root keys. [default: where `init` makes them]")
@json_option
@click.pass_context
def show(ctx: click.Context, offline: Path | None, as_json: bool) -> None:
    """Show every key, where its file is, and when signatures expire.

    \b
    Example:
      skuscan-server keys show
    """
    office = services_of(ctx, offline).key_office()
    keys, expiries = office.survey(), office.expiries()
    if as_json:
        echo_json(
            {
                "keys": [
                    {
                        "role": key.role,
                        "keyid": key.keyid,
                        "assortments": key.assortments,
                        "file": str(key.file) if key.file else None,
                    }
                    for key in keys
                ],
                "expires": {
                    name: {role: when.isoformat() for role, when in roles.items()} for name, roles in expiries.items()
                },
            }
        )
        return
    for key in keys:
        users = ", ".join(key.assortments) or "counts no more"
        click.echo(f"{key.role}\t{key.keyid[:SHOWN_DIGITS]}\t{users}\t{key.file or 'not here'}")
    for name, roles in expiries.items():
        dates = ", ".join(f"{role} {when:%Y-%m-%d %H:%M}" for role, when in roles.items())
        click.echo(f"{name} is signed until: {dates} (UTC)")


@command.command("rotate")
@_role
@_assortment
@_offline
@click.pass_context
def rotate(ctx: click.Context, role: str, assortment: str, offline: Path) -> None:
    """Replace every key of a role by a new one. Root and models keys change in all assortments.

    \b
    Example:
      skuscan-server keys rotate timestamp --assortment store-17 --offline /media/root-keys
    """
    _show_outcome(_office(ctx, offline, f"rotate {role}", assortment).rotate(role, assortment))


@command.command("add")
@_role
@_assortment
@_offline
@click.pass_context
def add(ctx: click.Context, role: str, assortment: str, offline: Path) -> None:
    """Give a role one key more.

    \b
    Example:
      skuscan-server keys add root --offline /media/root-keys
    """
    _show_outcome(_office(ctx, offline, f"add {role}", assortment).add(role, assortment))


@command.command("revoke")
@click.argument("keyid")
@_offline
@click.pass_context
def revoke(ctx: click.Context, keyid: str, offline: Path) -> None:
    """Let a key count no more. The last one of a role is rotated instead.

    \b
    Example:
      skuscan-server keys revoke 3f9a61c0d2b7 --offline /media/root-keys
    """
    _show_outcome(_office(ctx, offline, f"revoke {keyid}").revoke(keyid))


@command.command("expiry")
@_role
@click.argument("days", type=click.IntRange(1, MOST_DAYS))
@_assortment
@_offline
@click.pass_context
def expiry(ctx: click.Context, role: str, days: int, assortment: str, offline: Path) -> None:
    """Sign a role for so many days, now and from now on. `expiry root 365` is how a root is renewed.

    \b
    Example:
      skuscan-server keys expiry root 365 --offline /media/root-keys
    """
    _show_outcome(_office(ctx, offline, f"expiry {role} {days}", assortment).expiry(role, days, assortment))


def _office(ctx: click.Context, offline: Path, what: str, assortment: str = "") -> KeyOffice:
    """What changes keys; that it was asked to is written down first."""
    services = services_of(ctx, offline)
    with services.database.write() as session:
        audit(session, actor(), "keys", f"{what} of {assortment or 'all'}")
    return services.key_office()


def _show_outcome(done: Outcome) -> None:
    for name, version in done.roots.items():
        click.echo(f"{name}: root {version}.")
    for path in done.made:
        click.echo(f"New key: {path}")
    for path in done.removed:
        click.echo(f"Removed, counts no more: {path}")
    for path in done.to_destroy:
        click.echo(f"Counts no more; destroy it and every copy of it: {path}")
