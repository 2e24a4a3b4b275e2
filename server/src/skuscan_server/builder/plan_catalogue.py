"""What is about to be published, as the recogniser sees it: the decision is fitted on it before anything is signed."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from skuscan.bundle.records import pair_key
from skuscan.catalogue import stored_keypoints, stored_vectors
from skuscan.keypoint_index import KeypointIndex, index_in_memory
from skuscan.model import Model
from skuscan.proto.bundle_pb2 import Calibration
from skuscan.proto.catalogue_pb2 import (
    RECORD_KIND_PAIR,
    RECORD_KIND_PRODUCT,
    RECORD_KIND_REFERENCE,
    Pair,
    Product,
    RecordKind,
    Reference,
)
from skuscan_server.builder.prepare import Plan
from skuscan_server.builder.records import RecordId, StoredRecord, load_records
from skuscan_server.db.session import Database

CACHED_RECORDS = 8_192  # about 50 MB: a fit asks for the same ones again and again


class PlanCatalogue:
    """Implements `skuscan.catalogue.Catalogue`: embeddings in memory, records read from the database when asked for."""

    def __init__(self, database: Database, model: Model, plan: Plan, stored: Mapping[RecordId, StoredRecord]) -> None:
        self.number = 0
        self.model = model
        self.calibration = Calibration()
        self.annoy_file: Path | None = None
        self.base_embeddings = plan.vectors.rows
        self.delta_embeddings = stored_vectors([])
        self.withdrawn = np.zeros(len(plan.vectors.rows), np.bool_)
        self._database = database
        self._vectors = plan.vectors
        self._stored = stored
        self._load = lru_cache(CACHED_RECORDS)(self._read)

    @cached_property
    def keypoint_indexes(self) -> tuple[KeypointIndex, ...]:
        """Made of all references when a recogniser is opened, and let go with it."""
        rows = range(len(self.base_embeddings))
        return (index_in_memory((stored_keypoints(self.reference(row)) for row in rows), len(rows)),)

    def sku_of_row(self, row: int) -> str:
        """The SKU of a reference row."""
        return self._vectors.skus[row]

    def reference(self, row: int) -> Reference:
        """The reference of a row."""
        data = self._load(RECORD_KIND_REFERENCE, self._vectors.keys[row])
        assert data is not None  # every vector has its record
        return Reference.FromString(data)

    def product(self, sku: str) -> Product | None:
        """The product of a SKU."""
        data = self._load(RECORD_KIND_PRODUCT, sku)
        return Product.FromString(data) if data is not None else None

    def pair(self, sku: str, other: str) -> Pair | None:
        """The record of two easily confused SKUs, in either order."""
        data = self._load(RECORD_KIND_PAIR, pair_key(sku, other))
        return Pair.FromString(data) if data is not None else None

    def display_file(self, sku: str) -> None:
        """Nothing is shown while a decision is fitted."""

    def _read(self, kind: RecordKind, key: str) -> bytes | None:
        record = self._stored.get((kind, key))
        return next(load_records(self._database, [record.row])) if record is not None else None
