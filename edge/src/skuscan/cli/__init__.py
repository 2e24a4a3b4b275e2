"""The device's command line: `skuscan COMMAND`. A file per command and no logic here.

Commands are imported when they are called, so that `skuscan --help` is quick and needs no interpreter.

Exit codes: 0 done; 1 the command worked and what it looked at is not well (`doctor`) or was refused (`sync`);
2 an error of the caller or the surroundings, said in one line; 130 stopped by Ctrl-C.
"""

import importlib
import os
import sys

import click

from skuscan.errors import SkuscanError

# Matrices here are small: a second BLAS thread gains nothing on an idle machine, and on a busy one its spinning made a
# scan four times dearer. numpy reads this when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

COMMANDS = ("enrol", "sync", "identify", "status", "doctor", "bench")


class LazyGroup(click.Group):
    """A group whose commands are modules of this package, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command's module."""
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"skuscan.cli.{name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skuscan", prog_name="skuscan")
def cli() -> None:
    """Which product is this? Answered on this device, offline.

    \b
    Example:
      skuscan enrol https://catalogue.example.com sk1.default....
      skuscan sync
      skuscan identify photo.jpg
    """


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
