"""Options that several commands share."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

STORE_VARIABLE = "SKUSCAN_STORE"
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}  # of bytes


class Bytes(click.ParamType[int]):
    """A number of bytes, such as `500kB`, `2GB` or `500kB/s`."""

    name = "bytes"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes, 1 or more."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG]?)B?(?:/s)?", value)
        number = round(float(match[1]) * UNITS[match[2]]) if match else 0
        if number < 1:
            self.fail(f"{value} is no number of bytes, such as 500kB or 2GB", param, ctx)
        return number


def default_store() -> Path:
    """Where a device keeps its catalogue when nobody says otherwise: $SKUSCAN_STORE, else the user's data folder."""
    if given := os.environ.get(STORE_VARIABLE):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_data_path("skuscan")) / "store"


def store_option(function: Function) -> Function:
    """`--store DIR`."""
    return click.option(
        "--store",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_store,
        show_default=f"${STORE_VARIABLE}, else the user's data folder",
        help="Folder of the device's catalogue.",
    )(function)


def json_option(function: Function) -> Function:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(function)


def connection_options(function: Function) -> Function:
    """`--proxy URL`, `--ca-file FILE` and `--insecure-http`: how the server is reached."""
    function = click.option("--insecure-http", is_flag=True, help="Allow http:// beyond loopback. Only for trials.")(
        function
    )
    function = click.option(
        "--ca-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Certificates to trust instead of the system's, PEM.",
    )(function)
    return click.option("--proxy", metavar="URL", help="Ask this proxy for everything.")(function)


def index_option(function: Function) -> Function:
    """`--index-policy`: where the search index comes from."""
    return click.option(
        "--index-policy",
        type=click.Choice(["auto", "download", "build"]),
        default="auto",
        show_default=True,
        help="Fetch the search index, build it here, or whichever moves fewer bytes.",
    )(function)


def runtime_options(function: Function) -> Function:
    """`--threads N` and `--delegate NAME`: how the network runs."""
    function = click.option(
        "--delegate",
        "delegates",
        multiple=True,
        default=("xnnpack",),
        show_default=True,
        help="edgetpu, xnnpack or the path of a delegate's library. Repeat it: the first that works is taken.",
    )(function)
    return click.option(
        "--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads of the network."
    )(function)


def echo_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
