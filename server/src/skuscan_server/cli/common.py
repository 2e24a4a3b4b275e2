"""What several commands share."""

import getpass
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from skuscan_server.catalogue.assortments import DEFAULT
from skuscan_server.config import ServerConfig, load_config
from skuscan_server.services import Services

Function = TypeVar("Function", bound=Callable[..., Any])


def config_of(ctx: click.Context, offline: Path | None = None) -> ServerConfig:
    """The configuration: the environment, and over it `--data`, and `--offline` of the commands that have it."""
    given = {"data_folder": ctx.obj, "offline_keys_folder": offline}
    return load_config(**{name: path for name, path in given.items() if path is not None})


def services_of(ctx: click.Context, offline: Path | None = None) -> Services:
    """The server's parts; it was set up before. Raises ConfigError."""
    services = Services(config_of(ctx, offline))
    services.check()
    return services


def log_to_stderr() -> None:
    """For commands that run for long."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


def assortment_option(function: Function) -> Function:
    """`--assortment NAME`."""
    return click.option("--assortment", default=DEFAULT, show_default=True, help="Whose.")(function)


def actor() -> str:
    """Who is at the command line, for the audit log."""
    return f"{getpass.getuser()} (command line)"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where that is a terminal: call it with (done, total)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
