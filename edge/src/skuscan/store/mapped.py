"""Files that stay mapped: checked when they are opened, and watched afterwards.

A page of a mapped file that is no longer there, because the file was cut, ends the process with SIGBUS when it is
touched. Nothing here ever cuts a file, but a failing file system may; so the length is looked at between two scans, and
a generation with a cut file is left before it is touched again. A medium that fails to read a page back leaves no such
sign: see docs/operations.md.
"""

import hashlib
import mmap
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from skuscan.errors import StoreError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.durable import BLOCK_BYTES


class MappedFile:
    """A file of the store, mapped for reading. Immutable; safe in any thread.

    Args:
        path: The file.
        ref: What it must be.
        checked: Its content was compared with `ref` already.

    Raises:
        StoreError: It is missing or damaged.
    """

    def __init__(self, path: Path, ref: FileRef, checked: bool = False) -> None:
        try:
            with path.open("rb") as file:
                # Read, not touched through the map: what a failing medium cannot give is an error here.
                if not checked and not _is(file, ref):
                    raise _damaged(path)
                self._map = mmap.mmap(file.fileno(), ref.length, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # a file that is shorter, or empty, cannot be mapped
            raise _damaged(path) from error
        self._length = ref.length

    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """(n,) uint8, the whole file."""
        return np.frombuffer(self._map, np.uint8)

    def is_whole(self) -> bool:
        """Whether the file still has its length; a microsecond."""
        return self._map.size() == self._length


def _is(file: BinaryIO, ref: FileRef) -> bool:
    digest, length = hashlib.sha256(), 0
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        length += len(block)
    return (length, digest.digest()) == (ref.length, ref.sha256)


def _damaged(path: Path) -> StoreError:
    return StoreError("a file has the SHA-256 it was stored with", f"{path} is missing or damaged")
