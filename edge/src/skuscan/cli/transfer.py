"""How commands show a transfer and what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skuscan.sync import SyncResult
    from skuscan.sync.downloader import Progress


@contextmanager
def progress_bar(title: str, shown: bool) -> Iterator["Progress"]:
    """A bar on a terminal, nothing in a pipe: rich sees to that."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def result_line(result: "SyncResult") -> str:
    """What a sync came to."""
    moved = result.bytes_metadata + result.bytes_records + result.bytes_display
    text = f"{result.state}: generation {result.generation}"
    if result.reason:
        text += f" ({result.reason})"
    return (
        f"{text}; {moved:,} bytes in {result.seconds:.1f} s"
        f" (metadata {result.bytes_metadata:,}, records {result.bytes_records:,}, display {result.bytes_display:,})"
    )
