"""Small files that decide what is live: one line of JSON, and its SHA-256 on the second line.

The digest finds a flipped bit that would still be JSON, such as another generation's number. The line says of what kind
the file is, so that another one in its place is found, too. A file and its copy are of one kind: either may stand for
the other.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from skuscan.errors import StoreError
from skuscan.store.durable import PUBLIC_MODE, Disk, read_file

_FORMAT = 1
_LIMIT = 1_000_000  # bytes


def write_checked(disk: Disk, path: Path, value: dict[str, Any], mode: int = PUBLIC_MODE) -> None:
    """Replace a file, durably. Raises StoreError when the disk fails."""
    line = json.dumps({"format": _FORMAT, "file": _kind(path), **value}, sort_keys=True).encode()
    disk.write_file(path, line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n", mode)


def read_checked(path: Path) -> dict[str, Any]:
    """Read what `write_checked` wrote. Raises StoreError when it is missing, damaged or of another format."""
    line, _, rest = read_file(path, _LIMIT).partition(b"\n")
    whole = rest == hashlib.sha256(line).hexdigest().encode() + b"\n"
    value: dict[str, Any] = json.loads(line) if whole else {}
    if value.pop("file", None) != _kind(path):
        raise StoreError("a file of the store has its checksum", f"{path} is damaged", "run `skuscan doctor`")
    if value.pop("format", None) != _FORMAT:
        raise StoreError(f"a file of the store has format {_FORMAT}", f"another one in {path}", "update skuscan")
    return value


def _kind(path: Path) -> str:
    return path.name.partition(".")[0]
