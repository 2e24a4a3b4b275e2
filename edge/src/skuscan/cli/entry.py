"""What a command line of this project is: commands imported on use, errors in one line, exit codes for scripts.

The server's command line is made of the same.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from skuscan.errors import SkuscanError


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called.

    Args:
        modules: Command -> name of the module whose `command` it is, in the order in which a person meets them.
    """

    def __init__(self, *args: Any, modules: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a person meets them."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command's module."""
        if name not in self._modules:
            return None
        command = importlib.import_module(self._modules[name]).command
        assert isinstance(command, click.Command)
        return command


def start(group: click.Group) -> None:
    """Run a command line and end the process: one line and exit 2 for a SkuscanError, a traceback for a bug."""
    try:
        status = group(standalone_mode=False)
    except SkuscanError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
