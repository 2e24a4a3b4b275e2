"""Which generation of an assortment is published, read from the published files.

Files are what every machine of a server shares, whoever published; the database is not asked.
"""

import logging
from pathlib import Path

from skuscan.errors import SkuscanError
from skuscan_server.published_metadata import PublishedMetadata

log = logging.getLogger(__name__)

_FileVersion = tuple[int, int, int]  # inode, time of the last change in ns, size in bytes


class PublishedGenerations:
    """Reads generations. Safe in any thread.

    Args:
        published: The published folder.
    """

    def __init__(self, published: Path) -> None:
        self._published = published
        self._known: dict[str, tuple[_FileVersion, int]] = {}

    def read(self, assortment: str) -> int:
        """The generation that is published now; 0: none yet. A look at one file's date when nothing has changed."""
        files = PublishedMetadata(self._published, assortment)
        try:
            state = (files.metadata / "timestamp.json").stat()
        except OSError:
            return 0
        version = (state.st_ino, state.st_mtime_ns, state.st_size)
        seen, generation = self._known.get(assortment, (None, 0))
        if version == seen:
            return generation
        try:
            live = files.live_version()
        except SkuscanError as error:  # a restore is at it, perhaps: look again next time
            log.warning("%s: %s", assortment, error)
            return generation
        generation = live.generation if live else 0
        self._known[assortment] = (version, generation)
        return generation
