"""The embeddings of a snapshot's references as one matrix."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from skuscan.catalogue import stored_vectors
from skuscan.embedding import dequantize
from skuscan_server.builder.snapshot import SnapshotReference
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Feature
from skuscan_server.db.session import Database


@dataclass(frozen=True)
class Vectors:
    """Rows in the references' key order.

    Attributes:
        skus: N SKUs.
        keys: N record keys, ascending.
        rows: (N, 2, 256) int8, as in `Reference.embedding`.
    """

    skus: list[str]
    keys: list[str]
    rows: npt.NDArray[np.int8]

    def large(self) -> npt.NDArray[np.float32]:
        """(N, 256) float32, unit rows: of the large pictures, by which references are compared with each other."""
        return dequantize(self.rows[:, 0])


def load_vectors(database: Database, references: list[SnapshotReference], feature_space: bytes) -> Vectors:
    """Read the embeddings of references, which are sorted by key and whose features are finished."""
    by_picture: dict[bytes, bytes] = {}
    with database.read() as session:
        for chunk in batched(sorted({reference.picture_sha256 for reference in references})):
            query = select(Feature.picture_sha256, Feature.embedding).where(
                Feature.picture_sha256.in_(chunk), Feature.feature_space == feature_space
            )
            by_picture |= {row.picture_sha256: row.embedding for row in session.execute(query)}
    return Vectors(
        [reference.sku for reference in references],
        [reference.key for reference in references],
        stored_vectors([by_picture[reference.picture_sha256] for reference in references]),
    )
