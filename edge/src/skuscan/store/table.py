"""The record table: the one device form of every record kind.

Layout, little endian, written in one pass:

    records     serialised records, in the order in which they came
    entries     per record, sorted by key, then per tombstone, sorted by key:
                offset u64, length u32, end of its key u32, SHA-256 of the record
    keys        the keys' UTF-8, in the order of the entries
    trailer     magic, format, kind, number of records, of tombstones, bytes of keys, SHA-256 of the rest of the index

The index (entries, keys, trailer) is read and checked at opening and stays in memory, 48 bytes and the key per record.
A record is read with `pread` and checked against its SHA-256 every time: unlike a memory map, a file that is cut or a
medium that fails gives an error there, not a SIGBUS that ends the process.
"""

import hashlib
import os
import struct
import weakref
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.bundle.records import KIND_NAMES, SHA256_BYTES
from skuscan.bundle.segment import SegmentContent
from skuscan.errors import BundleError, StoreError
from skuscan.proto.catalogue_pb2 import RecordKind

Entry = tuple[str, bytes | None]  # a key and its record; None: withdrawn

_MAGIC = b"skutable"
_FORMAT = 1
_TRAILER = struct.Struct("<8sIIQQQ32s")
_ENTRY = np.dtype([("offset", "<u8"), ("length", "<u4"), ("key_end", "<u4"), ("sha256", "u1", SHA256_BYTES)])
ENTRY_BYTES = _ENTRY.itemsize  # of the index, per record and tombstone, beside its key


def base_entries(segments: Iterable[SegmentContent]) -> Iterator[Entry]:
    """The records of base segments, in their order."""
    for segment in segments:
        yield from segment.records


def delta_entries(newest_first: Iterable[SegmentContent]) -> Iterator[Entry]:
    """What delta segments come to: for each key its newest record, or that it was withdrawn."""
    seen: set[str] = set()
    for segment in newest_first:
        yield from ((key, record) for key, record in segment.records if key not in seen)
        yield from ((key, None) for key in segment.tombstones if key not in seen)
        seen.update(key for key, _ in segment.records)
        seen.update(segment.tombstones)


def table_blocks(kind: RecordKind, entries: Iterable[Entry]) -> Iterator[bytes]:
    """A table's file, block by block as its records come: in memory are the index and one record.

    Args:
        kind: What the records are.
        entries: In any order, each key once.

    Raises:
        BundleError: A key came twice.
    """
    placed: dict[str, tuple[int, int, bytes]] = {}
    withdrawn: set[str] = set()
    offset = 0
    for key, record in entries:
        if key in placed or key in withdrawn:
            raise BundleError("a key comes once in a generation's base", f"{KIND_NAMES[kind]} {key!r} twice")
        if record is None:
            withdrawn.add(key)
            continue
        placed[key] = (offset, len(record), hashlib.sha256(record).digest())
        offset += len(record)
        yield record
    yield from _index_blocks(kind, placed, sorted(withdrawn))


class RecordTable:
    """An opened table. Immutable; safe in any thread. Row i is the i-th record in key order.

    Its file stays readable when another process removes it. It is closed when nobody holds the table any more.

    Attributes:
        index_sha256: Of the index, 32 bytes: it binds every record, too.
    """

    def __init__(self, path: Path, descriptor: int, kind: RecordKind) -> None:
        self._path = path
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        self.index_sha256 = b""
        self._entries, self._keys, self._records = self._read_index(kind)
        self._key_ends = array("I", self._entries["key_end"].astype(np.uintc).tobytes())  # quicker to look up
        self._tombstones = frozenset(self._key(i) for i in range(self._records, len(self._entries)))

    @classmethod
    def open(cls, path: Path, kind: RecordKind) -> "RecordTable":
        """Open a table and check its index. Raises StoreError when it is missing, cut, damaged, or of another kind."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError("a generation has its tables", f"{path}: {error.strerror}") from error
        return cls(path, descriptor, kind)

    def __len__(self) -> int:
        return self._records

    @property
    def tombstones(self) -> frozenset[str]:
        """The keys that the table withdraws from the one under it."""
        return self._tombstones

    def key(self, row: int) -> str:
        """The key of a row. Raises IndexError outside the table."""
        if not 0 <= row < self._records:
            raise IndexError(f"row {row} of {self._records}")
        return self._key(row)

    def keys(self) -> Iterator[str]:
        """Every record's key, ascending."""
        return (self._key(row) for row in range(self._records))

    def find(self, key: str) -> int | None:
        """The row of a key, None when the table has no record of it."""
        wanted, low, high = key.encode(), 0, self._records
        while low < high:
            middle = (low + high) // 2
            if self._key_bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < self._records and self._key_bytes(low) == wanted else None

    def sha256(self, row: int) -> bytes:
        """The SHA-256 of a row's record, 32 bytes."""
        return bytes(self._entries["sha256"][row])

    def record(self, row: int) -> bytes:
        """The record of a row. Raises StoreError when the file no longer has the bytes that were stored."""
        key = self.key(row)
        offset, length = int(self._entries["offset"][row]), int(self._entries["length"][row])
        data = self._read(length, offset)
        if hashlib.sha256(data).digest() != self.sha256(row):
            raise StoreError("a record has its SHA-256", f"{key!r} in {self._path} is damaged", "run `skuscan sync`")
        return data

    def _key(self, index: int) -> str:
        return self._key_bytes(index).decode()

    def _key_bytes(self, index: int) -> bytes:
        return self._keys[self._key_ends[index - 1] if index else 0 : self._key_ends[index]]

    def _read(self, length: int, offset: int) -> bytes:
        try:
            return os.pread(self._descriptor, length, offset)
        except (OSError, OverflowError) as error:
            raise StoreError("a table can be read", f"{self._path}: {error}", "run `skuscan doctor`") from error

    def _read_index(self, kind: RecordKind) -> tuple[npt.NDArray[np.void], bytes, int]:
        """Entries, keys and number of records, checked by the trailer's SHA-256."""
        size = os.fstat(self._descriptor).st_size
        trailer = self._read(_TRAILER.size, max(0, size - _TRAILER.size))
        if len(trailer) < _TRAILER.size or not trailer.startswith(_MAGIC):
            raise self._damaged("no trailer")
        _, version, stored_kind, records, tombstones, key_bytes, sha256 = _TRAILER.unpack(trailer)
        entry_bytes = (records + tombstones) * _ENTRY.itemsize
        start = size - _TRAILER.size - entry_bytes - key_bytes
        if start < 0:
            raise self._damaged("an index longer than the file")
        entries, keys = self._read(entry_bytes, start), self._read(key_bytes, start + entry_bytes)
        if _index_digest(entries, keys, trailer) != sha256:
            raise self._damaged("an index without its SHA-256")
        if (version, stored_kind) != (_FORMAT, kind):
            raise self._damaged(f"format {version} of kind {stored_kind}")
        self.index_sha256 = sha256
        return np.frombuffer(entries, _ENTRY, records + tombstones), keys, records

    def _damaged(self, what: str) -> StoreError:
        return StoreError("a table is whole", f"{self._path}: {what}", "run `skuscan sync`")


def _index_blocks(kind: RecordKind, placed: dict[str, tuple[int, int, bytes]], withdrawn: list[str]) -> Iterator[bytes]:
    ordered = sorted(placed)
    names = [key.encode() for key in (*ordered, *withdrawn)]
    table = np.zeros(len(names), _ENTRY)
    table["key_end"] = np.cumsum([len(name) for name in names], dtype=np.uint32)
    for row, key in enumerate(ordered):
        offset, length, sha256 = placed[key]
        table["offset"][row], table["length"][row] = offset, length
        table["sha256"][row] = np.frombuffer(sha256, np.uint8)
    entries, keys = table.tobytes(), b"".join(names)
    sizes = (len(ordered), len(withdrawn), len(keys))
    unsigned = _TRAILER.pack(_MAGIC, _FORMAT, kind, *sizes, bytes(SHA256_BYTES))
    yield entries
    yield keys
    yield unsigned[:-SHA256_BYTES] + _index_digest(entries, keys, unsigned)


def _index_digest(entries: bytes, keys: bytes, trailer: bytes) -> bytes:
    digest = hashlib.sha256(entries)
    digest.update(keys)
    digest.update(trailer[:-SHA256_BYTES])
    return digest.digest()
