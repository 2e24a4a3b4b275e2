"""A bundle: what is published of one generation, in a folder or a tar, for devices that do not reach the server.

    tuf/<assortment>/metadata/..., tuf/<assortment>/targets/..., blobs/sha256/ab/abcd...

It is laid out as published, so a device takes it in by the code of a sync, over a transport that reads files: the same
signatures, the same floor, the same trial. Nothing in it is believed for being on a stick that somebody holds.

A tar is the plain kind: regular files only, names in their headers. Its table is read header by header, in memory that
does not depend on what a header says.
"""

import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, TypeVar

from skuscan.errors import SyncError
from skuscan.sync.failures import MissingFileError
from skuscan.sync.options import SyncLimits, SyncOptions
from skuscan.sync.source import Source
from skuscan.sync.transport import Response, Transport

MAX_TAR_FILES = 1_000_000  # in one bundle; a generation has some hundred, and a display picture for each product

_T = TypeVar("_T")
_RULE = "a bundle is a folder or a tar that `skuscan-server bundle export` made"
_Members = Mapping[str, tuple[int, int]]  # name -> offset and length in the tar, both in bytes


def bundle_source(path: Path, assortment: str, limits: SyncLimits) -> Source:
    """A bundle as the place to sync from.

    Args:
        path: The folder or tar.
        assortment: Whose repository is looked for in it.
        limits: On what is read.

    Raises:
        SyncError: There is no bundle, or the tar is cut or broken.
    """
    bundle = Bundle(path)
    repository = f"{bundle.url}/tuf/{assortment}"
    return Source(
        name=str(path),
        transport=BundleTransport(bundle, limits),
        metadata_url=f"{repository}/metadata",
        targets_url=f"{repository}/targets",
        blobs_url=f"{bundle.url}/blobs/sha256",
        parts="bundle-parts",
        offline=True,
    )


class Bundle:
    """The files of a bundle. Safe in several threads: each file is opened for itself.

    Args:
        path: The folder or tar.

    Attributes:
        url: What the addresses of its files begin with.

    Raises:
        SyncError: It is none, or the tar is cut or broken.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path).absolute()
        self.url = self._path.as_uri()
        try:
            self._members = None if self._path.is_dir() else _members(self._path)
        except OSError as error:
            raise SyncError(_RULE, f"{path}: {error.strerror}") from error

    def open(self, url: str) -> "_File":
        """Open a file by its address.

        Raises:
            MissingFileError: It is not there.
            SyncError: It is there, and cannot be read.
        """
        name = url.removeprefix(f"{self.url}/")
        path, offset, length = self._path, 0, None
        if self._members is None:
            path = self._path / name
        elif name in self._members:
            offset, length = self._members[name]
        else:
            raise MissingFileError(name, str(self._path))
        try:
            return _File(path, offset, length)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingFileError(name, str(self._path)) from error
        except OSError as error:
            raise SyncError("a bundle can be read", f"{path}: {error.strerror}", "try another medium") from error


class BundleTransport(Transport):
    """A transport that reads a bundle and never opens a connection."""

    def __init__(self, bundle: Bundle, limits: SyncLimits) -> None:
        super().__init__(SyncOptions(limits=limits))
        self._bundle = bundle

    def retrying(self, attempt: Callable[[], _T], progress: Callable[[], int] = lambda: 0) -> _T:
        """Call `attempt` once: a file does not become another one by waiting."""
        return attempt()

    @contextmanager
    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Response]:
        if method != "GET":
            raise SyncError("a bundle is read", f"{method} {url}")
        with closing(self._bundle.open(url)) as file:
            yield file


class _File:
    """A whole file, read as an answer is."""

    status: int = HTTPStatus.OK

    def __init__(self, path: Path, offset: int, length: int | None) -> None:
        self.headers: Mapping[str, str] = {}
        # A pipe of that name must not hold the device.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._file: BinaryIO = os.fdopen(descriptor, "rb")
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            self._file.close()
            raise SyncError("a bundle holds plain files", f"another kind: {path}", "export it again")
        self._file.seek(offset)
        self._left = found.st_size if length is None else length

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """The next piece."""
        piece = self._file.read(self._left if amt is None else min(amt, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _members(path: Path) -> _Members:
    """The table of a tar. Raises SyncError when it is cut or is no plain tar, OSError when it cannot be read."""
    members: dict[str, tuple[int, int]] = {}
    size, offset = path.stat().st_size, 0
    with path.open("rb") as file:
        while len(members) <= MAX_TAR_FILES:
            file.seek(offset)
            header = file.read(tarfile.BLOCKSIZE)
            if header == bytes(tarfile.BLOCKSIZE):
                return members
            name, length = _member(header, path, offset)
            offset += tarfile.BLOCKSIZE
            if not 0 <= length <= size - offset:
                raise SyncError("a bundle is whole", f"{path} ends within {name}", "copy it again")
            members[name] = (offset, length)
            offset += -(-length // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    raise SyncError(f"a bundle holds at most {MAX_TAR_FILES} files", f"more in {path}")


def _member(header: bytes, path: Path, offset: int) -> tuple[str, int]:
    try:
        member = tarfile.TarInfo.frombuf(header, "ascii", "replace")
    except tarfile.TarError as error:
        if offset == 0:
            raise SyncError(_RULE, f"{path} is neither") from error
        cut = len(header) < tarfile.BLOCKSIZE
        received = f"{path} ends at byte {offset}" if cut else f"{path} is broken at byte {offset}"
        raise SyncError("a bundle is whole", received, "copy it again") from error
    if not member.isreg():
        raise SyncError("a bundle holds plain files", f"another kind: {member.name} in {path}", "export it again")
    return member.name, member.size
