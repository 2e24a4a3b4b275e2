"""Segments: files of records, as they travel.

Writing: records and tombstones are checked and sorted by key, put into one `Segment` message, and compressed to one
zstd frame that says its content size and carries a checksum.

Reading trusts nothing: the file's digest first, then the frame's header against the signed raw length *before* a byte
is decompressed, then the message, its counts, and every record in order.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import zstandard
from google.protobuf.message import DecodeError

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.records import KIND_NAMES, check_key, check_kind, key_of
from skuscan.errors import BundleError
from skuscan.model import file_ref
from skuscan.proto.bundle_pb2 import Segment, SegmentRef
from skuscan.proto.catalogue_pb2 import RecordKind

SEGMENT_FORMAT = 1
COMPRESSION_LEVEL = 3  # of 22: references do not compress at any level, products shrink 14-fold at this one
_HASH_BITS = 256


@dataclass(frozen=True)
class SegmentContent:
    """A segment, read and checked.

    Attributes:
        kind: What its records are.
        records: (key, serialised record), strictly ascending by key.
        tombstones: Keys withdrawn, strictly ascending, none of them among the records.
    """

    kind: RecordKind
    records: list[tuple[str, bytes]]
    tombstones: list[str]


def write_segment(kind: RecordKind, records: Iterable[bytes], tombstones: Iterable[str] = ()) -> bytes:
    """The wire form of some records and tombstones, given in any order.

    Raises:
        BundleError: A record breaks its format, a key comes twice, there is nothing to write, or too much.
    """
    check_kind(kind)
    keyed = sorted(((key_of(kind, record), record) for record in records), key=lambda item: item[0])
    content = SegmentContent(kind, keyed, sorted(tombstones))
    _check_content(content)
    message = Segment(format=SEGMENT_FORMAT, kind=kind, tombstones=content.tombstones)
    message.records.extend(record for _, record in content.records)
    raw = message.SerializeToString()
    _check_raw_length(len(raw))
    data = zstandard.ZstdCompressor(COMPRESSION_LEVEL, write_checksum=True, write_content_size=True).compress(raw)
    if len(data) > LIMITS.segment_bytes:
        raise BundleError(f"a segment has at most {LIMITS.segment_bytes} bytes", f"{len(data)}", "cut it")
    return data


def segment_ref(data: bytes) -> SegmentRef:
    """How a manifest names a segment that `write_segment` made. Raises BundleError when it is none."""
    message = _parse(data, _raw_length(data))
    return SegmentRef(
        file=file_ref(data),
        kind=message.kind,
        records=len(message.records),
        tombstones=len(message.tombstones),
        raw_length=_raw_length(data),
    )


def read_segment(data: bytes, ref: SegmentRef) -> SegmentContent:
    """Read a segment that a checked manifest names.

    Memory: the file, its decompressed form (at most `segment_raw_bytes`) and one copy of the records.

    Raises:
        BundleError: It is not the file that is named, or it breaks its format anywhere.
    """
    if len(data) != ref.file.length or hashlib.sha256(data).digest() != ref.file.sha256:
        raise BundleError("a segment has the SHA-256 and length that its manifest names", f"{len(data)} other bytes")
    if _raw_length(data) != ref.raw_length:
        raise BundleError(f"the segment unpacks to {ref.raw_length} bytes", f"a frame of {_raw_length(data)}")
    message = _parse(data, ref.raw_length)
    if (message.kind, len(message.records), len(message.tombstones)) != (ref.kind, ref.records, ref.tombstones):
        raise BundleError(
            f"the segment holds {ref.records} records and {ref.tombstones} tombstones of kind {ref.kind}",
            f"{len(message.records)} and {len(message.tombstones)} of kind {message.kind}",
        )
    records = [(key_of(message.kind, record), record) for record in message.records]
    content = SegmentContent(message.kind, records, list(message.tombstones))
    _check_content(content)
    return content


def cut_by_range(sizes: Mapping[str, int], target: int) -> list[list[str]]:
    """Cut keys into segments by ranges of SHA-256(key), so that a change rewrites only the ranges it falls in.

    The whole range is halved, and each half again, until a part holds at most `target` bytes. Where the cuts are
    depends on what is there, not on history: a range that did not change comes out with the same records as before.

    Args:
        sizes: Key -> bytes of its record.
        target: Bytes of records that a segment should not exceed, at least 1.

    Returns:
        The keys of each part, sorted; parts in the order of their ranges; no part is empty.
    """
    points = sorted((int.from_bytes(hashlib.sha256(key.encode()).digest(), "big"), key) for key in sizes)
    parts: list[list[str]] = []
    waiting = [(points, 0, _HASH_BITS)]  # points of a range, its lower end, the bits of its width
    while waiting:
        part, low, bits = waiting.pop()
        if len(part) > 1 and bits and sum(sizes[key] for _, key in part) > target:
            middle = low + (1 << (bits - 1))
            at = bisect_left(part, (middle, ""))
            waiting += [(part[at:], middle, bits - 1), (part[:at], low, bits - 1)]
        elif part:
            parts.append(sorted(key for _, key in part))
    return parts


def _raw_length(data: bytes) -> int:
    """The content size in the frame's header, checked before anything is allocated (RFC 8878, 3.1.1.1.4)."""
    try:
        frame = zstandard.get_frame_parameters(data)
    except zstandard.ZstdError as error:
        raise BundleError("a segment is one zstd frame", str(error)) from error
    if not frame.has_checksum:
        raise BundleError("a segment's zstd frame has a checksum", "a frame without one")
    _check_raw_length(frame.content_size)
    return frame.content_size


def _check_raw_length(length: int) -> None:
    # a frame that does not say its size reads as the largest 64-bit number
    if not 0 < length <= LIMITS.segment_raw_bytes:
        raise BundleError(f"a segment unpacks to 1 to {LIMITS.segment_raw_bytes} bytes", f"{length} bytes", "cut it")


def _parse(data: bytes, raw_length: int) -> Segment:
    try:
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=raw_length, allow_extra_data=False)
        message = Segment.FromString(raw)
    except (zstandard.ZstdError, DecodeError) as error:
        raise BundleError("a segment is one zstd frame around a Segment message", str(error)) from error
    if message.format != SEGMENT_FORMAT:
        raise BundleError(f"a segment has format {SEGMENT_FORMAT}", f"format {message.format}", "update skuscan")
    check_kind(message.kind)
    return message


def _check_content(content: SegmentContent) -> None:
    count = len(content.records) + len(content.tombstones)
    if not 0 < count <= LIMITS.segment_records:
        raise BundleError(f"a segment has 1 to {LIMITS.segment_records} records and tombstones", f"{count}")
    for key in content.tombstones:
        check_key(content.kind, key)
    keys = [key for key, _ in content.records]
    for name, ordered in (("records", keys), ("tombstones", content.tombstones)):
        if any(a >= b for a, b in pairwise(ordered)):
            raise BundleError(f"a segment's {name} are sorted by key, each once", KIND_NAMES[content.kind])
    if not set(keys).isdisjoint(content.tombstones):
        raise BundleError("a segment's tombstones are not among its records", KIND_NAMES[content.kind])
