"""Fetch immutable files, each named by its SHA-256 and length, into a blob folder.

A file grows as `<sha256>.part` and is flushed block by block. After an interruption everything up to the last whole
block is kept, and the rest is asked for by a Range; a server that knows no ranges is heard from the beginning. If-Range
is not needed: a file's address is its digest, and the digest decides in the end. What is longer than signed is refused
at the first byte too many; what is not what was signed is thrown away.
"""

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from skuscan.errors import NetworkError, StoreError, TrustError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.blobs import BlobFolder
from skuscan.sync.failures import PassingError, StatusError
from skuscan.sync.transport import Answer, Transport

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all; from several threads, one at a time."""

_PART = ".part"  # ends the name of an unfinished file
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    Attributes:
        file: What it must be.
        url: Where it is.
    """

    file: FileRef
    url: str


class Downloader:
    """Fetches files into blobs, several at once.

    Args:
        transport: What opens connections.
        blobs: Where finished files go.
        partial: A folder on the same file system for unfinished ones; it outlives the process.
    """

    def __init__(self, transport: Transport, blobs: BlobFolder, partial: Path) -> None:
        self._transport = transport
        self._blobs = blobs
        self._partial = partial

    def fetch(self, downloads: Sequence[Download], progress: Progress = lambda done, total: None) -> None:
        """Fetch all, each file once, or raise the first error. What was finished or begun before it is kept.

        Raises:
            NetworkError: A file does not come, or not in time.
            TrustError: A file is not what was signed.
            StoreError: The disk failed.
        """
        if not downloads:
            return
        with _plainly(self._partial):
            self._partial.mkdir(parents=True, exist_ok=True)
        once = {download.file.sha256: download for download in downloads}.values()  # two threads would share one part
        meter = _Meter(progress, sum(download.file.length for download in once))
        with ThreadPoolExecutor(self._transport.limits.parallel_files, "skuscan-download") as pool:
            futures = [pool.submit(self._fetch_one, download, meter) for download in once]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException:  # a Ctrl-C, too, must not wait for the other files
                meter.abort.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def keep_only(self, files: Iterable[FileRef]) -> int:
        """Drop unfinished files that are none of these: bytes of those that stay. Raises StoreError."""
        wanted, held = {file.sha256.hex() for file in files}, 0
        with _plainly(self._partial):
            for part in self._partial.glob(f"*{_PART}"):
                if part.stem in wanted:
                    held += part.stat().st_size
                else:
                    part.unlink()
        return held

    def _fetch_one(self, download: Download, meter: "_Meter") -> None:
        part = _Part(
            self._partial / f"{download.file.sha256.hex()}{_PART}", download.file, self._transport.limits.block_bytes
        )
        deadline = time.monotonic() + self._transport.limits.file_seconds
        self._transport.retrying(lambda: self._attempt(download, part, meter, deadline), lambda: part.flushed)
        self._blobs.adopt(part.path, download.file)

    def _attempt(self, download: Download, part: "_Part", meter: "_Meter", deadline: float) -> None:
        with _plainly(part.path), part.open() as file:
            meter.at(download.file, part.length)
            resumed = part.length > 0
            headers = {"Range": f"bytes={part.length}-"} if resumed else {}
            try:
                with self._transport.open(download.url, headers) as answer:
                    if not _continues(answer, part.length, download.file.length):
                        part.restart(file)
                    for piece in answer.pieces(download.file.length - part.length, deadline):
                        part.append(file, piece)
                        meter.at(download.file, part.length)
            except StatusError as error:
                if error.status != _RANGE_NOT_SATISFIABLE or not resumed:
                    raise
                part.restart(file)
                raise PassingError("a server that has a file has its end", str(error)) from error
            part.finish(file, resumed, download.url)


class _Part:
    """An unfinished file and the digest of what it holds so far."""

    def __init__(self, path: Path, file: FileRef, block_bytes: int) -> None:
        self.path = path
        self.length = 0  # bytes that are there and in the digest
        self.flushed = 0  # bytes that a power cut leaves
        self._file = file
        self._block_bytes = block_bytes
        self._digest = hashlib.sha256()

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open at the end of the last whole block: what lies behind it may not have reached the disk."""
        with self.path.open("a+b") as file:
            whole = self._whole_blocks(min(self.path.stat().st_size, max(0, self._file.length - 1)))
            self.restart(file, keep=whole)
            try:
                yield file
            except OSError:
                self.path.unlink(missing_ok=True)  # a full disk: give back what was taken
                raise

    def restart(self, file: BinaryIO, keep: int = 0) -> None:
        """Keep the first `keep` bytes and drop the rest."""
        file.truncate(keep)
        file.seek(0)
        self._digest = hashlib.sha256()
        for start in range(0, keep, self._block_bytes):
            self._digest.update(file.read(min(self._block_bytes, keep - start)))
        self.length = self.flushed = keep

    def append(self, file: BinaryIO, piece: bytes) -> None:
        """Write a piece; flush when a block is full."""
        file.write(piece)
        self._digest.update(piece)
        self.length += len(piece)
        if self.length - self.flushed >= self._block_bytes:
            file.flush()
            os.fsync(file.fileno())
            self.flushed = self._whole_blocks(self.length)

    def finish(self, file: BinaryIO, resumed: bool, url: str) -> None:
        """Check length and digest. Raises PassingError when another attempt may help, else TrustError."""
        if self.length < self._file.length:
            raise PassingError("a transfer runs to its end", f"{self.length} of {self._file.length} bytes of {url}")
        if self._digest.digest() != self._file.sha256:
            received = self._digest.hexdigest()
            self.restart(file)
            if resumed:  # the old beginning may be at fault
                raise PassingError("a file has the SHA-256 that was signed", f"{received} for {url}")
            self.path.unlink()
            raise TrustError("a file has the SHA-256 that was signed", f"{received} for {url}", "nothing was changed")

    def _whole_blocks(self, length: int) -> int:
        return length - length % self._block_bytes


class _Meter:
    """Adds up what all threads have."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.abort = threading.Event()
        self._progress = progress
        self._total = total
        self._done: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def at(self, file: FileRef, length: int) -> None:
        """Say how much of a file is there. Raises NetworkError once another file has failed."""
        if self.abort.is_set():
            raise NetworkError("files are fetched together", "another one failed")
        with self._lock:
            self._done[file.sha256] = length
            self._progress(sum(self._done.values()), self._total)


def _continues(answer: Answer, start: int, length: int) -> bool:
    """True when an answer goes on at `start`, False when it begins at 0. Raises NetworkError when at neither."""
    if answer.status != _PARTIAL_CONTENT:
        return start == 0
    match = _CONTENT_RANGE.fullmatch(answer.header("Content-Range"))
    if match is None or int(match[1]) != start or match[3] not in ("*", str(length)):
        raise NetworkError(f"a range goes on at byte {start} of {length}", answer.header("Content-Range") or "no range")
    return True


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError("the disk can hold the download", f"{path}: {error.strerror}", "free some space") from error
