"""The only module that writes to disk.

A file appears whole or not at all: its bytes go to a temporary file beside it, which is fsynced, renamed over the
target, and made to stay by an fsync of the folder (Pillai et al. 2014, "All file systems are not created equal"). After
a power cut there is the old file or the new one, and perhaps a `.tmp-` file that nobody reads.

Every system call that changes the disk passes through `Disk._step` first. A test overrides that one method to record
the calls, to fail the n-th, or to end the process there.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from skuscan.errors import StoreError
from skuscan.proto.catalogue_pb2 import FileRef

TEMPORARY_PREFIX = ".tmp-"
PUBLIC_MODE = 0o644
PRIVATE_MODE = 0o600
BLOCK_BYTES = 1 << 20  # one write call; also what is hashed at a time
_LOCK_LOOK_SECONDS = 0.02  # s, between two looks at whether a lock is free
_NO_HARD_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}
_PLAIN_WORDS = {
    errno.ENOSPC: ("the disk has room", "free some space"),
    errno.EDQUOT: ("the disk quota has room", "free some space"),
    errno.EROFS: ("the disk can be written", "it is mounted read-only"),
    errno.EACCES: ("this user may read and write the store", "run as its owner"),
    errno.EPERM: ("this user may read and write the store", "run as its owner"),
    errno.EIO: ("the disk works", "the medium is failing: replace it"),
    errno.ENOENT: ("the file is there", ""),
}


class Disk:
    """Durable operations on files. Stateless, and safe in any thread. Every method raises StoreError on failure."""

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        """Called before each system call that changes the disk; does nothing. Tests override it."""

    def write_file(self, path: Path, data: bytes | Iterable[bytes], mode: int = PUBLIC_MODE) -> FileRef:
        """Write or replace a file, durably.

        Args:
            path: In a folder that is there.
            data: The bytes, or blocks of them as they are made: nothing is held in memory.
            mode: Permissions.

        Returns:
            SHA-256 and length of what was written.
        """
        temporary = path.with_name(TEMPORARY_PREFIX + secrets.token_hex(8))
        with _plainly(path):
            try:
                ref = self._write_new(temporary, [data] if isinstance(data, bytes) else data, mode)
                self._replace(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._step("unlink", temporary)
                    temporary.unlink()
                raise
        return ref

    def rename(self, source: Path, target: Path) -> None:
        """Move a file over a file, or a folder to a free name, on one file system; durable when it returns."""
        with _plainly(target):
            self._replace(source, target)
            if source.parent != target.parent:
                self._sync_folder(source.parent)

    def seal(self, path: Path) -> FileRef:
        """Make a file durable that something else wrote (a library, a download): its SHA-256 and length."""
        with _plainly(path):
            self._step("fsync", path)
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return hash_file(path)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is fine."""
        with _plainly(path), contextlib.suppress(FileNotFoundError):
            self._step("unlink", path)
            path.unlink()
            self._sync_folder(path.parent)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder and what is in it; one that is not there is fine."""
        with _plainly(path), contextlib.suppress(FileNotFoundError):
            self._step("rmtree", path)
            shutil.rmtree(path)
            self._sync_folder(path.parent)

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it; one that is there is fine."""
        with _plainly(path):
            if path.is_dir():
                return
            if not path.parent.is_dir():
                self.make_folder(path.parent)
            self._step("mkdir", path)
            path.mkdir(exist_ok=True)
            self._sync_folder(path.parent)

    def append_line(self, path: Path, line: str) -> None:
        """Append a line to a file, made if it is not there. A torn last line, left by a power cut, is ended first."""
        with _plainly(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PUBLIC_MODE)
            try:
                size = os.fstat(descriptor).st_size
                torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                self._write_all(descriptor, path, ("\n" if torn else "").encode() + line.encode() + b"\n")
                self._step("fsync", path)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def hardlink_or_copy(self, source: Path, target: Path) -> None:
        """Give a file a second name; copy it where the file system has no hard links."""
        with _plainly(target):
            try:
                self._step("link", target, source)
                os.link(source, target)
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                self.write_file(target, read_blocks(source))
            else:
                self._sync_folder(target.parent)

    def lock(self, path: Path, patience: float = 0.0) -> "Lock":
        """The lock that a file stands for; taken when it is entered, within `patience` seconds."""
        return Lock(path, patience)

    def _write_new(self, path: Path, blocks: Iterable[bytes], mode: int) -> FileRef:
        digest, length = hashlib.sha256(), 0
        self._step("create", path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            for block in blocks:
                self._write_all(descriptor, path, block)
                digest.update(block)
                length += len(block)
            self._step("fsync", path)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return FileRef(sha256=digest.digest(), length=length)

    def _write_all(self, descriptor: int, path: Path, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._step("write", path)
            rest = rest[os.write(descriptor, rest[:BLOCK_BYTES]) :]

    def _replace(self, source: Path, target: Path) -> None:
        self._step("rename", target, source)
        source.replace(target)
        self._sync_folder(target.parent)

    def _sync_folder(self, path: Path) -> None:
        self._step("fsync folder", path)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Lock:
    """One holder among all processes and threads (flock), released by the kernel when its process ends.

    It may be entered again by the thread that holds it. Another holder is waited for, and then named by a StoreError.

    Args:
        path: The file; it says which process holds the lock, or held it last. Nothing depends on that, so it is
            written without a step.
        patience: Seconds to wait for another holder.
    """

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        self._path = path
        self._patience = patience
        self._thread = threading.RLock()
        self._descriptor = -1
        self._depth = 0

    def __enter__(self) -> "Lock":
        self._acquire(self._patience)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Hold it without waiting: for a reader, which can go on otherwise. Raises StoreError when it is taken."""
        self._acquire(0.0)
        try:
            yield
        finally:
            self._release()

    def _acquire(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        if not self._thread.acquire(timeout=seconds):
            raise self._taken()
        try:
            if self._depth == 0:
                self._descriptor = self._take(deadline)
            self._depth += 1
        except BaseException:
            self._thread.release()
            raise

    def _take(self, deadline: float) -> int:
        with _plainly(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PUBLIC_MODE)
            try:
                while not _try_lock(descriptor):
                    if time.monotonic() >= deadline:
                        raise self._taken()
                    time.sleep(_LOCK_LOOK_SECONDS)
                with contextlib.suppress(OSError):  # a full disk: then the holder has no name
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

    def _release(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            os.close(self._descriptor)
        self._thread.release()

    def _taken(self) -> StoreError:
        try:
            holder = f"process {self._path.read_text() or 'unknown'}"
        except (OSError, UnicodeDecodeError):
            holder = "another one"
        return StoreError(
            "one process writes at a time", f"{self._path} is locked by {holder}", "let the other one finish"
        )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


DISK = Disk()


def read_file(path: Path, limit: int) -> bytes:
    """Read a whole file of at most `limit` bytes. Raises StoreError when it is not there, longer, or not readable."""
    with _plainly(path), path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise StoreError(f"{path.name} has at most {limit} bytes", f"more in {path}")
    return data


def read_blocks(path: Path) -> Iterator[bytes]:
    """A file in blocks. Raises StoreError when it is not readable."""
    with _plainly(path), path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def hash_file(path: Path) -> FileRef:
    """SHA-256 and length of a file. Raises StoreError when it is not readable."""
    digest, length = hashlib.sha256(), 0
    for block in read_blocks(path):
        digest.update(block)
        length += len(block)
    return FileRef(sha256=digest.digest(), length=length)


def is_intact(path: Path, ref: FileRef) -> bool:
    """Whether a file is there and readable, and has the content that it should; reads it whole."""
    try:
        return path.stat().st_size == ref.length and hash_file(path) == ref
    except (OSError, StoreError):
        return False


@contextlib.contextmanager
def _plainly(path: Path) -> Iterator[None]:
    """Say an OSError in plain words."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        rule, advice = _PLAIN_WORDS.get(number, ("the disk can be read and written", ""))
        raise StoreError(rule, f"{path}: {error.strerror or error}", advice) from error
