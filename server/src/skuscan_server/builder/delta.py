"""What changed since the last publication, as records to put and keys to withdraw. No IO."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from skuscan.bundle.records import KINDS
from skuscan.bundle.segment import cut_by_range, write_segment
from skuscan.proto.bundle_pb2 import Manifest, SegmentRef
from skuscan.proto.catalogue_pb2 import RecordKind
from skuscan_server.builder.records import RecordId, StoredRecord

SEGMENT_TARGET = 1_000_000  # bytes of records in one segment
TOMBSTONES_PER_SEGMENT = 50_000

LoadRecords = Callable[[Iterable[StoredRecord]], Iterator[bytes]]


@dataclass(frozen=True)
class Change:
    """The way from the published state to the wanted one.

    Attributes:
        put: Records that are new or other than published, with the digest of their source.
        withdrawn: Published records that are no longer wanted.
    """

    put: dict[RecordId, bytes]
    withdrawn: set[RecordId]

    @property
    def is_empty(self) -> bool:
        """Nothing changed."""
        return not self.put and not self.withdrawn

    def __len__(self) -> int:
        return len(self.put) + len(self.withdrawn)


def compare(wanted: Mapping[RecordId, bytes], live: Mapping[RecordId, StoredRecord]) -> Change:
    """What to do so that the live records become the wanted ones (id -> source)."""
    put = {
        identity: source
        for identity, source in wanted.items()
        if identity not in live or live[identity].source != source
    }
    return Change(put, set(live) - set(wanted))


def cut_segments(kind: RecordKind, stored: Mapping[str, StoredRecord], load: LoadRecords) -> Iterator[bytes]:
    """Records of one kind as segments, cut by ranges of their keys' digests."""
    for keys in cut_by_range({key: record.length for key, record in stored.items()}, SEGMENT_TARGET):
        yield write_segment(kind, load(stored[key] for key in keys))


def delta_segments(change: Change, stored: Mapping[RecordId, StoredRecord], load: LoadRecords) -> Iterator[bytes]:
    """The segments of a change: one for each kind that changed, more only when it is large."""
    for kind in KINDS:
        put = {key: stored[kind, key] for changed, key in change.put if changed == kind}
        withdrawn = sorted(key for gone, key in change.withdrawn if gone == kind)
        if sum(record.length for record in put.values()) <= SEGMENT_TARGET and len(withdrawn) <= TOMBSTONES_PER_SEGMENT:
            if put or withdrawn:
                yield write_segment(kind, load(put.values()), withdrawn)
            continue
        yield from cut_segments(kind, put, load)
        for start in range(0, len(withdrawn), TOMBSTONES_PER_SEGMENT):
            yield write_segment(kind, [], withdrawn[start : start + TOMBSTONES_PER_SEGMENT])


def delta_share(manifest: Manifest, change: Change) -> float:
    """How many records and tombstones the deltas would hold, for each record of the base."""
    in_deltas = sum(segment.records + segment.tombstones for segment in manifest.delta_segments)
    return (in_deltas + len(change)) / max(1, records_in(manifest.base_segments))


def records_in(segments: Iterable[SegmentRef]) -> int:
    """How many records some segments hold."""
    return sum(segment.records for segment in segments)
