"""What the recogniser needs of a catalogue, whoever keeps it.

`skuscan.store.Generation` is the implementation on a device's disk; `MemoryCatalogue` serves whoever has the records at
hand: the server, which calibrates on them, and tests. References are numbered by *row*: rows 0 .. B-1 are the base in
key order, rows B .. B+D-1 the delta in key order.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from skuscan.errors import BundleError
from skuscan.keypoint_index import KeypointIndex, index_in_memory
from skuscan.keypoints import Keypoints, unpack
from skuscan.model import REFERENCE_SHAPE, Model
from skuscan.proto.bundle_pb2 import Calibration
from skuscan.proto.catalogue_pb2 import Pair, Product, Reference


class Catalogue(Protocol):
    """One generation, opened for reading. Immutable; safe in any thread."""

    @property
    def number(self) -> int:
        """The generation's number."""

    @property
    def model(self) -> Model:
        """The model whose feature space the references are in."""

    @property
    def calibration(self) -> Calibration:
        """The decision's fit to this assortment."""

    @property
    def base_embeddings(self) -> npt.NDArray[np.int8]:
        """(B, 2, 256) int8, as in `Reference.embedding`; a memory map."""

    @property
    def delta_embeddings(self) -> npt.NDArray[np.int8]:
        """(D, 2, 256) int8."""

    @property
    def withdrawn(self) -> npt.NDArray[np.bool_]:
        """(B,) bool: base rows that a delta replaced or a tombstone withdrew."""

    @property
    def annoy_file(self) -> Path | None:
        """The Annoy index over the base rows, already checked by its digest; None: search exactly."""

    @property
    def keypoint_indexes(self) -> tuple[KeypointIndex, ...]:
        """Over the keypoints of all rows, one index behind the other."""

    def sku_of_row(self, row: int) -> str:
        """The SKU of a reference row."""

    def reference(self, row: int) -> Reference:
        """The reference of a row, its checksum verified. Raises StoreError when damaged."""

    def product(self, sku: str) -> Product | None:
        """The product of a SKU, its checksum verified; None when the catalogue has none."""

    def pair(self, sku: str, other: str) -> Pair | None:
        """The record of two easily confused SKUs, in either order."""

    def display_file(self, sku: str) -> Path | None:
        """The display picture of a SKU, checked; None when there is none here."""


def stored_keypoints(reference: Reference) -> Keypoints:
    """A reference's keypoints; none when they are damaged: it is found by its embedding then."""
    try:
        return unpack(reference.keypoints)
    except BundleError:
        return Keypoints.empty()


def stored_vectors(embeddings: Sequence[bytes]) -> npt.NDArray[np.int8]:
    """(n, 2, 256) int8: what n records hold."""
    return np.frombuffer(b"".join(embeddings), np.int8).reshape(-1, *REFERENCE_SHAPE)


class MemoryCatalogue:
    """A catalogue of records in memory, all of them base.

    Args:
        model: The model that made the references.
        references: In any order; kept in key order.
        products: Of the same SKUs.
        pairs: Easily confused SKUs.
        calibration: None: the model's own decision, unfitted.
    """

    def __init__(
        self,
        model: Model,
        references: Iterable[Reference],
        products: Iterable[Product] = (),
        pairs: Iterable[Pair] = (),
        calibration: Calibration | None = None,
    ) -> None:
        self.number = 0
        self.model = model
        self.calibration = calibration or Calibration(spread=1.0)
        self.annoy_file = None
        self._references = sorted(references, key=lambda r: (r.sku, r.reference_id))
        self._products = {p.sku: p for p in products}
        self._pairs = {frozenset((p.sku_a, p.sku_b)): p for p in pairs}
        count = len(self._references)
        self.base_embeddings = stored_vectors([reference.embedding for reference in self._references])
        self.delta_embeddings = stored_vectors([])
        self.withdrawn = np.zeros(count, np.bool_)
        keypoints = (stored_keypoints(reference) for reference in self._references)
        self.keypoint_indexes: tuple[KeypointIndex, ...] = (index_in_memory(keypoints, count),)

    def sku_of_row(self, row: int) -> str:
        """The SKU of a reference row."""
        return self._references[row].sku

    def reference(self, row: int) -> Reference:
        """The reference of a row."""
        return self._references[row]

    def product(self, sku: str) -> Product | None:
        """The product of a SKU."""
        return self._products.get(sku)

    def pair(self, sku: str, other: str) -> Pair | None:
        """The record of two easily confused SKUs, in either order."""
        return self._pairs.get(frozenset((sku, other)))

    def display_file(self, sku: str) -> None:
        """There are no display pictures in memory."""
