"""The server's command line: `skuscan-server COMMAND`. A file per command and no logic here.

Exit codes: 0 done; 2 an error of the caller or the surroundings, said in one line; 130 stopped by Ctrl-C.
"""

from pathlib import Path

import click

from skuscan.cli.entry import LazyGroup, start

COMMANDS = {  # name: module, in the order in which a person meets them
    "init": "init",
    "run": "run",
    "scheduler": "scheduler",
    "events": "events",
    "metrics": "metrics",
    "catalogue": "catalogue",
    "publish": "publish",
    "rollout": "rollout",
    "bundle": "bundle",
    "model": "model",
    "enrol-token": "enrol_token",
    "devices": "devices",
    "api-key": "api_key",
    "keys": "keys",
    "audit": "audit",
    "backup": "backup",
    "restore": "restore",
    "prune": "prune",
    "evaluate": "evaluate",
}


@click.group(
    cls=LazyGroup,
    modules={name: f"skuscan_server.cli.{module}" for name, module in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="skuscan-server", prog_name="skuscan-server")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the whole server. [default: $SKUSCAN_SERVER_DATA_FOLDER, else skuscan-data]",
)
@click.pass_context
def cli(ctx: click.Context, data: Path | None) -> None:
    """Keep a catalogue, and publish it to devices that recognise its products.

    \b
    Example:
      skuscan-server init
      skuscan-server catalogue import catalogue.csv
      skuscan-server publish
      skuscan-server enrol-token
      skuscan-server run
    """
    ctx.obj = data


def main() -> None:
    """The entry point."""
    start(cli)
