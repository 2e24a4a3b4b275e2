"""The journal: what happened to the store, a line of JSON each, for people and for `status`. Nothing depends on it."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from skuscan.errors import StoreError
from skuscan.store.durable import Disk

MAX_BYTES = 256_000  # then the older half goes
MAX_TEXT = 500  # characters of one value

_KEYS = {"unix_ms", "event", "generation", "reason"}

_log = logging.getLogger(__name__)


class Journal:
    """A bounded file of events. Only the holder of the store's lock writes."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def note(self, event: str, generation: int, reason: str = "") -> None:
        """Write an event. A disk that refuses costs the line, never the work that it tells of."""
        entry = {
            "unix_ms": int(time.time() * 1000),
            "event": event,
            "generation": generation,
            "reason": reason[:MAX_TEXT],
        }
        try:
            if self._path.exists() and self._path.stat().st_size > MAX_BYTES:
                self._halve()
            self._disk.append_line(self._path, json.dumps(entry))
        except (StoreError, OSError) as error:
            _log.warning("the journal missed %s of generation %d: %s", event, generation, error)

    def last(self, count: int) -> list[dict[str, Any]]:
        """The newest `count` events, oldest first. Lines that a power cut or a bad sector spoiled are left out."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return []
        events = (_parse(line) for line in lines)
        return [event for event in events if event is not None][-count:]

    def _halve(self) -> None:
        lines = self._path.read_bytes().splitlines(keepends=True)
        self._disk.write_file(self._path, b"".join(lines[len(lines) // 2 :]))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.keys() >= _KEYS else None
