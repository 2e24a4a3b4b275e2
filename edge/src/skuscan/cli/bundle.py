"""`skuscan bundle import PATH`."""

from dataclasses import asdict
from pathlib import Path

import click

from skuscan.cli.options import echo_json, json_option, store_option
from skuscan.cli.transfer import progress_bar, result_line


@click.group("bundle")
def command() -> None:
    """Take in a catalogue that somebody brought, without a network."""


@command.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@store_option
@json_option
def import_(path: Path, store: Path, as_json: bool) -> int:
    """Make the bundle at PATH live: a folder or a tar of `skuscan-server bundle export`.

    It is verified as a sync is: signatures, expiry, and nothing older than what was live before. Exit code 1: it was
    rejected on its trial, and what was live stays.

    \b
    Example:
      skuscan bundle import /media/usb/catalogue.tar
    """
    from skuscan.store import Store
    from skuscan.sync import SyncOptions, import_bundle

    with progress_bar("reading", shown=not as_json) as progress:
        result = import_bundle(Store.open(store), path, SyncOptions(), progress=progress)
    if as_json:
        echo_json(asdict(result))
    else:
        click.echo(result_line(result))
    return 1 if result.state == "rejected" else 0
