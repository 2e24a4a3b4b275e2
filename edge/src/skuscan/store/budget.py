"""The disk budget: how many bytes a store may take, and what a generation will need of them.

Before anything is fetched, what an update needs is known: lengths are signed, and what is derived follows from signed
counts. It must fit beside the live and the previous good generation, which both stay. When it does not, what nobody
uses goes first, then display pictures, without which products are recognised all the same; then the update is refused,
and the live generation goes on answering (`room.py`). While a generation is built, what is written is counted as well.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.manifest import segments_of
from skuscan.bundle.records import KINDS
from skuscan.errors import StoreError
from skuscan.keypoint_index import index_bytes, word_bits
from skuscan.model import REFERENCE_SHAPE
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import RECORD_KIND_REFERENCE, RecordKind
from skuscan.store.generation import LAYERS, LOCAL_INDEX_FILE
from skuscan.store.pointers import Reusable
from skuscan.store.table import ENTRY_BYTES

DEFAULT_BYTES = 4_000_000_000  # bytes; two generations of 100,000 references and a third being built
RESERVE_BYTES = 8_000_000  # bytes for what is not counted one by one: metadata, journal, pointers, folders
_KEY_BYTES = 2 * 4 * LIMITS.sku_length + 1  # bytes, the longest key: a pair's, in UTF-8
_INDEX_MARGIN = 1.1  # of the published index: one that is built here has about as many nodes


class OverBudgetError(StoreError):
    """What would be written does not fit into the disk budget."""

    def __init__(self, budget: int, received: str) -> None:
        super().__init__(
            f"the store stays within its disk budget of {budget / 1e6:,.0f} MB",
            received,
            "give it more with `skuscan sync --disk-budget`",
        )


@dataclass
class Allowance:
    """Bytes that may still be written.

    Attributes:
        budget: Of the whole store, for messages.
        left: Of it.
    """

    budget: int
    left: int

    def take(self, count: int) -> None:
        """Account for some bytes. Raises OverBudgetError when they are too many."""
        if count > self.left:
            raise OverBudgetError(self.budget, "more in a generation that is being built")
        self.left -= count

    def metered(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks, each accounted for before it is written. Raises OverBudgetError."""
        for block in blocks:
            self.take(len(block))
            yield block


def derived_bytes(manifest: Manifest, reuse: Reusable | None, builds_index: bool) -> int:
    """Bytes that building a generation's folder may take, at most.

    Args:
        manifest: Of the generation.
        reuse: Whose base files are shared where they are the same.
        builds_index: Whether the search index is built here.
    """
    made = [(layer, kind) for layer in LAYERS for kind in KINDS if not _is_shared(manifest, reuse, layer, kind)]
    total = sum(_table_bytes(manifest, layer, kind) for layer, kind in made)
    has_index = reuse is not None and LOCAL_INDEX_FILE in reuse.contents.files
    if builds_index and not (has_index and ("base", RECORD_KIND_REFERENCE) not in made):
        total += round(manifest.annoy.file.length * _INDEX_MARGIN)
    return total


def _is_shared(manifest: Manifest, reuse: Reusable | None, layer: str, kind: RecordKind) -> bool:
    if reuse is None or layer != "base":
        return False
    return segments_of(manifest, layer, kind) == segments_of(reuse.manifest, layer, kind)


def _table_bytes(manifest: Manifest, layer: str, kind: RecordKind) -> int:
    """Bytes of a layer's table of a kind, and of what is derived from it."""
    segments = segments_of(manifest, layer, kind)
    entries = sum(segment.records + segment.tombstones for segment in segments)
    raw = sum(segment.raw_length for segment in segments)
    total = raw + entries * ENTRY_BYTES + min(entries * _KEY_BYTES, raw)  # a key's parts are in its record
    if kind == RECORD_KIND_REFERENCE:
        base = sum(segment.records for segment in segments_of(manifest, "base", kind))
        total += entries * math.prod(REFERENCE_SHAPE) + index_bytes(entries, word_bits(base))
    return total
