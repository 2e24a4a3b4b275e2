"""The file that a backup is: a tar that any tar program reads, with the SHA-256 of every file at its end.

backup.json                          what it is: format, time, program
database.sqlite | database.pgdump    the catalogue
published/  pictures/  models/  keys/
SHA256SUMS                           as `sha256sum --check` reads it; a file that was cut has none
"""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from skuscan.store.durable import BLOCK_BYTES, DISK, PRIVATE_MODE, PUBLIC_MODE, read_blocks
from skuscan_server.errors import BackupError

ABOUT_FILE = "backup.json"
SUMS_FILE = "SHA256SUMS"
FORMAT = 1
KEYS_FOLDER = "keys"  # in the tar; what lies there is for its owner only
MAX_SUMS_BYTES = 1_000_000_000  # bytes; 10 million files
MAX_ABOUT_BYTES = 10_000  # bytes

Progress = Callable[[int, int], None]
"""Told of files done, of how many."""


@dataclass(frozen=True)
class Member:
    """One file of a backup: its name in the tar, and its bytes or where they are."""

    name: str
    source: bytes | Path

    @property
    def length(self) -> int:
        """Bytes. Raises BackupError when the file is gone."""
        if isinstance(self.source, bytes):
            return len(self.source)
        try:
            return self.source.stat().st_size
        except OSError as error:
            raise BackupError("a backup holds every file", f"{self.source}: {error.strerror}") from error

    def blocks(self) -> Iterator[bytes]:
        """The bytes, in blocks."""
        return iter([self.source]) if isinstance(self.source, bytes) else read_blocks(self.source)


def write_archive(members: Iterable[Member], digests: dict[str, str]) -> Iterator[bytes]:
    """The tar in blocks, as they are made.

    Args:
        members: What is in it, beside `backup.json` and the sums.
        digests: Filled with the SHA-256 of each member, hex, by its name.

    Raises:
        BackupError: A file is gone, or changed while it was read.
    """
    about = {"format": FORMAT, "made": datetime.now(timezone.utc).isoformat(), "version": version("skuscan-server")}
    first = Member(ABOUT_FILE, json.dumps(about).encode())
    for member in (first, *members):
        digest = hashlib.sha256()
        yield from _blocks(member, digest.update)
        digests[member.name] = digest.hexdigest()
    sums = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    yield from _blocks(Member(SUMS_FILE, sums.encode()), lambda _: None)
    yield bytes(2 * tarfile.BLOCKSIZE)


def unpack(archive: Path, place: Callable[[str], Path | None], progress: Progress) -> None:
    """Write the files of a backup, and compare them with the sums at its end.

    Args:
        archive: The tar.
        place: Where a file of this name goes; None: nowhere, it is refused.
        progress: Told of each file; how many there will be is not known.

    Raises:
        BackupError: It is no backup, is cut, or is damaged. What was written so far is there.
    """
    digests: dict[str, str] = {}
    sums = None
    try:
        with tarfile.open(archive, "r|") as tar:
            for member in tar:
                if member.name == SUMS_FILE:
                    sums = _read(tar, member, MAX_SUMS_BYTES)
                elif member.name == ABOUT_FILE:
                    digests[member.name] = _check_about(_read(tar, member, MAX_ABOUT_BYTES))
                else:
                    digests[member.name] = _write(tar, member, place)
                progress(len(digests), 0)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BackupError("a backup is a readable tar", f"{archive}: {error}", "take another backup") from error
    wanted = "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()
    if ABOUT_FILE not in digests or sums is None:
        raise BackupError("a backup is whole", f"{archive} was cut, or is another tar", "take another backup")
    if sums != wanted:
        wrong = set(wanted.decode().splitlines()).symmetric_difference(sums.decode("utf-8", "replace").splitlines())
        named = min(wrong, default="another order").split("  ")[-1]
        raise BackupError("every file of a backup has the SHA-256 that was noted", named, "take another backup")


def _blocks(member: Member, update: Callable[[bytes], object]) -> Iterator[bytes]:
    header = tarfile.TarInfo(member.name)
    header.size = member.length
    header.mode = PRIVATE_MODE if member.name.startswith(f"{KEYS_FOLDER}/") else PUBLIC_MODE
    yield header.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
    length = 0
    for block in member.blocks():
        update(block)
        length += len(block)
        yield block
    if length != header.size:
        raise BackupError("a file does not change while it is backed up", member.name, "take another backup")
    yield bytes(-length % tarfile.BLOCKSIZE)


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    file = tar.extractfile(member)
    if file is None or member.size > limit:
        raise BackupError(f"{member.name} is a file of at most {limit} bytes", f"{member.size} bytes")
    return file.read()


def _check_about(data: bytes) -> str:
    """The digest of `backup.json`. Raises BackupError when another program's version is needed."""
    try:
        found = json.loads(data)["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BackupError(f"{ABOUT_FILE} says the format", "another file") from error
    if found != FORMAT:
        raise BackupError(f"a backup has the format {FORMAT}", str(found)[:20], "use the version that made it")
    return hashlib.sha256(data).hexdigest()


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Callable[[str], Path | None]) -> str:
    name = PurePosixPath(member.name)
    target = None if name.is_absolute() or ".." in name.parts else place(member.name)
    file = tar.extractfile(member) if member.isreg() else None
    if target is None or file is None:
        raise BackupError("a backup holds a server's own files", member.name[:200], "this is another tar")
    DISK.make_folder(target.parent.absolute())
    blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
    return DISK.write_file(target, blocks, member.mode & 0o777).sha256.hex()
