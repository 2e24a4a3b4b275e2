"""The server's command line: `skuscan-server COMMAND`. A file per command and no logic here.

Exit codes: 0 done; 2 an error of the caller or the surroundings, said in one line; 130 stopped by Ctrl-C.
"""

import importlib
import sys
from pathlib import Path

import click

from skuscan.errors import SkuscanError

COMMANDS = {  # name: module, in the order in which a person meets them
    "init": "init",
    "run": "run",
    "scheduler": "scheduler",
    "catalogue": "catalogue",
    "publish": "publish",
    "enrol-token": "enrol_token",
    "devices": "devices",
    "api-key": "api_key",
    "evaluate": "evaluate",
}


class LazyGroup(click.Group):
    """A group whose commands are modules of this package, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command's module."""
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"skuscan_server.cli.{COMMANDS[name]}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
    """The entry point: one line and exit 2 for a SkuscanError, a traceback for a bug."""
    try:
        status = cli(standalone_mode=False)
    except SkuscanError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
