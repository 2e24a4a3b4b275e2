"""A new base: every live record in segments cut by key ranges, and the Annoy file over the references.

A range that did not change since the last base comes out as the same bytes, hence the same blob, which devices have.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.annoy_file import build_annoy
from skuscan.bundle.records import KINDS
from skuscan.bundle.segment import segment_ref
from skuscan.proto.bundle_pb2 import AnnoyRef, SegmentRef
from skuscan.store.blobs import BlobFolder
from skuscan.store.durable import DISK
from skuscan_server.builder.delta import LoadRecords, cut_segments
from skuscan_server.builder.records import RecordId, StoredRecord

ANNOY_SEED = 1
ITEMS_PER_TREE = 100  # a leaf holds 258 items: more trees for a few items cost bytes and find nothing more
WORK_FOLDER = "work"  # beside the blobs, for files that become one


def base_segments(
    stored: Mapping[RecordId, StoredRecord], load: LoadRecords, published: BlobFolder
) -> Iterator[SegmentRef]:
    """Write the segments of a base as blobs: products, references, pairs."""
    for kind in KINDS:
        records = {key: record for (of_kind, key), record in stored.items() if of_kind == kind}
        for data in cut_segments(kind, records, load):
            published.put(data)
            yield segment_ref(data)


def annoy_blob(rows: npt.NDArray[np.int8], published: BlobFolder, folder: Path, trees: int) -> AnnoyRef:
    """Build the Annoy file of a base and make it a blob.

    Args:
        rows: (N, 2, 256) int8, every reference of the base in key order; at least one.
        published: Where the blob goes.
        folder: A folder on the same file system as the blobs.
        trees: At most so many; a small base needs fewer.
    """
    trees = max(1, min(trees, len(rows) // ITEMS_PER_TREE))
    DISK.make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "index.annoy"
        build_annoy(rows, path, trees, ANNOY_SEED)
        ref = DISK.seal(path)
        published.adopt(path, ref)
    return AnnoyRef(file=ref, trees=trees, references=len(rows), seed=ANNOY_SEED)
