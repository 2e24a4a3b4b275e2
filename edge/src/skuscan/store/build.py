"""Make a generation's folder from blobs, with the memory of one segment and the words of one keypoint index.

Per layer and kind: the segments are read one after another, their records streamed into a table. The embeddings are
read back from the finished reference table in key order, which checks that table on the disk at the same time. Base
files whose segments are those of the live generation are linked, not made. `contents.json` comes last.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from skuscan.bundle.manifest import segments_of
from skuscan.bundle.records import KINDS
from skuscan.bundle.segment import SegmentContent, read_segment
from skuscan.catalogue import stored_keypoints
from skuscan.keypoint_index import keypoint_index_blocks, word_bits
from skuscan.proto.bundle_pb2 import Manifest, SegmentRef
from skuscan.proto.catalogue_pb2 import RECORD_KIND_REFERENCE, FileRef, RecordKind, Reference
from skuscan.store.blobs import BlobFolder
from skuscan.store.budget import Allowance
from skuscan.store.checked_json import write_checked
from skuscan.store.durable import Disk, is_intact
from skuscan.store.generation import (
    CONTENTS_FILE,
    EMBEDDINGS_FILE,
    KEYPOINTS_FILE,
    LAYERS,
    LOCAL_INDEX_FILE,
    embeddings_header,
    table_file,
)
from skuscan.store.pointers import Contents, GenerationName, Reusable
from skuscan.store.table import RecordTable, base_entries, delta_entries, table_blocks

BUILD_PREFIX = "build-"  # of folders in tmp/ where generations are built

IndexBuilder = Callable[[Path, Path, int], None]
"""Builds an index over the (B, 2, 256) int8 rows of a .npy file into another of at most so many bytes, or raises."""


@dataclass
class GenerationBuild:
    """One build.

    Attributes:
        disk: What writes.
        blobs: Where the segments are.
        manifest: What to build.
        folder: Where to; it is made.
        allowance: What may be written.
        reuse: A generation whose base files may be linked; None: make all.
        build_index: Builds the index here; None: the published one is used, or none.
    """

    disk: Disk
    blobs: BlobFolder
    manifest: Manifest
    folder: Path
    allowance: Allowance
    reuse: Reusable | None = None
    build_index: IndexBuilder | None = None
    _files: dict[str, FileRef] = field(default_factory=dict)
    _tables: dict[str, bytes] = field(default_factory=dict)

    def run(self, name: GenerationName) -> Contents:
        """Build: what the folder holds.

        Raises:
            StoreError: A blob is missing or damaged, or the disk fails.
            BundleError: A segment is not what the manifest says.
        """
        for layer in LAYERS:
            self.disk.make_folder(self.folder / layer)
            for kind in KINDS:
                self._make_tables(layer, kind)
        if self.build_index is not None:
            self._make_index(self.build_index)
        contents = Contents(name, self._files, self._tables)
        write_checked(self.disk, self.folder / CONTENTS_FILE, contents.to_json())
        return contents

    def _make_tables(self, layer: str, kind: RecordKind) -> None:
        table = f"{layer}/{table_file(kind)}"
        beside = [f"{layer}/{name}" for name in (EMBEDDINGS_FILE, KEYPOINTS_FILE)]
        derived = [table, *beside] if kind == RECORD_KIND_REFERENCE else [table]
        if layer == "base" and self.reuse and self._same_base(self.reuse, kind) and self._link(self.reuse, derived):
            return
        segments = segments_of(self.manifest, layer, kind)
        if layer == "base":
            entries = base_entries(self._read(segments))
        else:
            entries = delta_entries(self._read(reversed(segments)))
        self._write(table, table_blocks(kind, entries))
        rows = RecordTable.open(self.folder / table, kind)
        self._tables[table] = rows.index_sha256
        if kind == RECORD_KIND_REFERENCE:
            for path, content in zip(beside, (_embedding_blocks(rows), self._keypoint_index(rows)), strict=True):
                self._write(path, content)

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        self._files[path] = self.disk.write_file(self.folder / path, self.allowance.metered(blocks))

    def _keypoint_index(self, rows: RecordTable) -> Iterator[bytes]:
        """The delta's words are as long as the base's, or their votes would not compare."""
        base = sum(segment.records for segment in segments_of(self.manifest, "base", RECORD_KIND_REFERENCE))
        keypoints = (stored_keypoints(Reference.FromString(rows.record(row))) for row in range(len(rows)))
        return keypoint_index_blocks(keypoints, len(rows), word_bits(base))

    def _same_base(self, other: Reusable, kind: RecordKind) -> bool:
        return segments_of(self.manifest, "base", kind) == segments_of(other.manifest, "base", kind)

    def _link(self, other: Reusable, paths: list[str]) -> bool:
        """Share another generation's files; False when one of them is damaged, which is not to spread."""
        if not all(is_intact(other.folder / path, other.contents.files[path]) for path in paths):
            return False
        for path in paths:
            self.disk.hardlink_or_copy(other.folder / path, self.folder / path)
            self._files[path] = other.contents.files[path]
            if path in other.contents.tables:
                self._tables[path] = other.contents.tables[path]
        return True

    def _make_index(self, build: IndexBuilder) -> None:
        path = self.folder / LOCAL_INDEX_FILE
        reuse = self.reuse
        known = reuse and LOCAL_INDEX_FILE in reuse.contents.files and self._same_base(reuse, RECORD_KIND_REFERENCE)
        if reuse and known and self._link(reuse, [LOCAL_INDEX_FILE]):
            return
        if any(segment.records for segment in segments_of(self.manifest, "base", RECORD_KIND_REFERENCE)):
            build(self.folder / "base" / EMBEDDINGS_FILE, path, self.allowance.left)
            self._files[LOCAL_INDEX_FILE] = self.disk.seal(path)

    def _read(self, segments: Iterable[SegmentRef]) -> Iterator[SegmentContent]:
        return (read_segment(self.blobs.read(segment.file), segment) for segment in segments)


def _embedding_blocks(table: RecordTable) -> Iterator[bytes]:
    """A .npy file of (references, 2, 256) int8 in key order, block by block."""
    yield embeddings_header(len(table))
    for row in range(len(table)):
        yield Reference.FromString(table.record(row)).embedding
