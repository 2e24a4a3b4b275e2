"""What the recogniser needs of a catalogue, whoever keeps it.

`skuscan.store.Generation` is the implementation on a device's disk; tests have a small one in memory. References are
numbered by *row*: rows 0 .. B-1 are the base in key order, rows B .. B+D-1 the delta in key order.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from skuscan.model import Model
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
        """(B, 256) int8, rows as in `Reference.embedding`; a memory map."""

    @property
    def delta_embeddings(self) -> npt.NDArray[np.int8]:
        """(D, 256) int8."""

    @property
    def withdrawn(self) -> npt.NDArray[np.bool_]:
        """(B,) bool: base rows that a delta replaced or a tombstone withdrew."""

    @property
    def annoy_file(self) -> Path | None:
        """The Annoy index over the base rows, already checked by its digest; None: search exactly."""

    def sku_of_row(self, row: int) -> str:
        """The SKU of a reference row."""

    def reference(self, row: int) -> Reference:
        """The reference of a row, its checksum verified. Raises StoreError when damaged."""

    def product(self, sku: str) -> Product | None:
        """The product of a SKU, its checksum verified; None when the catalogue has none."""

    def pair(self, sku: str, other: str) -> Pair | None:
        """The record of two easily confused SKUs, in either order."""
