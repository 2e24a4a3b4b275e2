"""`skuscan sync [--watch]`."""

import logging
import os
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skuscan.cli.options import Bytes, connection_options, echo_json, index_option, json_option, store_option
from skuscan.cli.transfer import progress_bar, result_line

if TYPE_CHECKING:
    from skuscan.sync import IndexPolicy


@click.command("sync")
@click.option("--watch", is_flag=True, help="Stay, and take every new generation when it is published.")
@click.option("--poll", type=click.FloatRange(1), default=300.0, show_default=True, help="Seconds between polls.")
@index_option
@click.option("--bandwidth", type=Bytes(), help="Most that all downloads together take, such as 500kB/s.")
@click.option(
    "--disk-budget",
    type=Bytes(),
    help="Most that the store takes, such as 2GB; kept for later syncs.  [default: 4GB]",
)
@connection_options
@store_option
@json_option
def command(
    watch: bool,
    poll: float,
    index_policy: "IndexPolicy",
    bandwidth: int | None,
    disk_budget: int | None,
    proxy: str | None,
    ca_file: Path | None,
    insecure_http: bool,
    store: Path,
    as_json: bool,
) -> int:
    """Fetch what was published, verify it, and make it live.

    Only the difference travels. Until the new generation has answered its own probes, the old one answers. Exit code 1:
    the update was rejected, or does not fit into the disk budget, and the old generation stays.

    \b
    Example:
      skuscan sync
      skuscan sync --watch
    """
    from skuscan.store import Store
    from skuscan.sync import SyncOptions, sync_once
    from skuscan.sync import watch as watch_server
    from skuscan.sync.service import NOTIFY_SOCKET, ServiceManager

    options = SyncOptions(
        proxy=proxy,
        ca_file=ca_file,
        insecure_http=insecure_http,
        bandwidth=bandwidth,
        disk_budget=disk_budget,
        index_policy=index_policy,
        poll_seconds=poll,
    )
    opened = Store.open(store)
    if watch:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        watch_server(opened, options, _stop_on_signals(), manager=ServiceManager(os.environ.get(NOTIFY_SOCKET, "")))
        return 0
    with progress_bar("fetching", shown=not as_json) as progress:
        result = sync_once(opened, options, progress=progress)
    if as_json:
        echo_json(asdict(result))
    else:
        click.echo(result_line(result))
    return 1 if result.state == "rejected" else 0


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
