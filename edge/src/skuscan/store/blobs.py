"""Blobs: immutable files named by their SHA-256, in `sha256/ab/abcd...`."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from skuscan.errors import StoreError
from skuscan.model import file_ref
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.durable import DISK, TEMPORARY_PREFIX, Disk, is_intact, read_file

_FANOUT_DIGITS = 2  # hex digits of the folder a blob lies in


class BlobFolder:
    """A folder of blobs. Safe for any number of readers and writers: a blob never changes, and appears whole.

    Args:
        path: The folder; it is made with the first blob.
        disk: What writes.
    """

    def __init__(self, path: Path, disk: Disk = DISK) -> None:
        self._root = Path(path) / "sha256"
        self._disk = disk

    def path(self, ref: FileRef) -> Path:
        """Where the blob is, or would be."""
        name = ref.sha256.hex()
        return self._root / name[:_FANOUT_DIGITS] / name

    def has(self, ref: FileRef) -> bool:
        """Whether it is there in its full length. Its content is checked when it is read."""
        try:
            return self.path(ref).stat().st_size == ref.length
        except OSError:
            return False

    def put(self, data: bytes) -> FileRef:
        """Store some bytes: their name. Raises StoreError when the disk fails."""
        ref = file_ref(data)
        if not self.is_intact(ref):
            path = self.path(ref)
            self._disk.make_folder(path.parent)
            self._disk.write_file(path, data)
        return ref

    def read(self, ref: FileRef) -> bytes:
        """The bytes, checked. Raises StoreError when the blob is missing or damaged."""
        path = self.path(ref)
        data = read_file(path, ref.length)
        if len(data) != ref.length or hashlib.sha256(data).digest() != ref.sha256:
            raise _damaged(path)
        return data

    def adopt(self, file: Path, ref: FileRef) -> None:
        """Make a finished download a blob: check it, make it durable, move it in. It lies on the same file system.

        Raises:
            StoreError: It is not the file that `ref` names, or the disk fails.
        """
        if self._disk.seal(file) != ref:
            raise StoreError(
                f"the file is {ref.sha256.hex()}, {ref.length} bytes", f"another one in {file}", "fetch it again"
            )
        path = self.path(ref)
        self._disk.make_folder(path.parent)
        self._disk.rename(file, path)

    def is_intact(self, ref: FileRef) -> bool:
        """Whether it is there and has the content that it is named by; reads it whole."""
        return is_intact(self.path(ref), ref)

    def check(self, ref: FileRef) -> Path:
        """The path of a blob whose content was just checked. Raises StoreError when it is missing or damaged."""
        if not self.is_intact(ref):
            raise _damaged(self.path(ref))
        return self.path(ref)

    def remove(self, ref: FileRef) -> None:
        """Remove a blob; one that is not there is fine. A process that maps it keeps what it has."""
        self._disk.remove(self.path(ref))

    def files(self) -> Iterator[Path]:
        """Every blob's path, in no order."""
        return (path for path in self._root.glob("*/*") if not path.name.startswith(TEMPORARY_PREFIX))


def _damaged(path: Path) -> StoreError:
    return StoreError(
        "a blob has the SHA-256 that it is named by", f"{path} is missing or damaged", "run `skuscan sync`"
    )
