"""`skuscan status`."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from skuscan.cli.options import echo_json, json_option, runtime_options, store_option


@click.command("status")
@runtime_options
@store_option
@json_option
def command(threads: int, delegates: tuple[str, ...], store: Path, as_json: bool) -> None:
    """Say what answers on this device: generation and its age, model, runtime, index, and what happened last.

    \b
    Example:
      skuscan status
    """
    from skuscan.embedding import Embedder
    from skuscan.errors import SkuscanError
    from skuscan.layered_index import LayeredIndex
    from skuscan.runtime import RuntimeOptions
    from skuscan.store import Store
    from skuscan.store.store import METADATA_FOLDER
    from skuscan.sync.clock import BEHIND, seconds_behind, time_floor

    opened = Store.open(store)
    status = asdict(opened.status()) | {"store": str(store), "server": opened.identity.server_url}
    status["clock"] = BEHIND if seconds_behind(time_floor(store / METADATA_FOLDER)) else ""
    if status["generation"] is not None:
        generation = opened.open_generation()
        status["model"] = generation.model.artifact.name
        status["feature_space"] = generation.model.feature_space.hex()
        status["search"] = LayeredIndex.open(generation).name
        try:
            status["runtime"] = asdict(Embedder.open(generation.model, RuntimeOptions(threads, delegates)).description)
        except SkuscanError as error:
            status["runtime"] = {"error": str(error)}
    if as_json:
        echo_json(status)
    else:
        click.echo("\n".join(_lines(status)))


def _lines(status: dict[str, Any]) -> list[str]:
    lines = [
        f"store       {status['store']}",
        f"device      {status['device_id']}, assortment {status['assortment']}, server {status['server']}",
    ]
    if status["clock"]:
        lines.append(f"CLOCK       {status['clock']}")
    if status["generation"] is None:
        return [*lines, f"generation  none yet: {status['degraded'] or 'run `skuscan sync`'}", *_happened(status)]
    lines.append(f"generation  {status['generation']}, published {_age(status['age_s'])} ago")
    if status["degraded"]:
        lines.append(f"DEGRADED    {status['degraded']}")
    lines += [f"rejected    {number}: {reason}" for number, reason in status["rejected"].items()]
    counts = f"{status['products']} products, {status['references']} references, {status['pairs']} look-alike pairs"
    lines += [
        f"catalogue   {counts}",
        f"model       {status['model']}, feature space {status['feature_space'][:16]}",
        f"runtime     {_runtime(status['runtime'])}",
        f"index       {status['search']} ({status['index']})",
        f"disk        {sum(status['bytes_on_disk'].values()) / 1e6:.1f} MB of {status['disk_budget'] / 1e6:,.0f} MB",
    ]
    return lines + _happened(status)


def _runtime(runtime: dict[str, Any]) -> str:
    if "error" in runtime:
        return f"FAILURE: {runtime['error']}"
    text = f"{runtime['library']} {runtime['version']}, delegate {runtime['delegate']}, {runtime['threads']} thread(s)"
    return text + "".join(f"; not taken: {fallback}" for fallback in runtime["fallbacks"])


def _happened(status: dict[str, Any]) -> list[str]:
    return [
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(event['unix_ms'] / 1000))}  {event['event']}"
        f" {event['generation']} {event['reason']}".rstrip()
        for event in status["journal"][-5:]
    ]


def _age(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
