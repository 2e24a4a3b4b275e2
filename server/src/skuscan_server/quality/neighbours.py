"""Keeping in the database which references look alike.

Every measured reference has a row for the nearest reference of another product, and rows for others that look like
it. References without a row are pending: new ones, and those whose neighbours were all withdrawn, since their rows went
with them. A refresh compares the pending ones with all, and the others with the pending ones. So a small change costs
little, and a refresh that was killed goes on when it is run again.
"""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, exists, func, insert, select

from skuscan.catalogue import stored_vectors
from skuscan.embedding import dequantize
from skuscan_server.db.batches import batched
from skuscan_server.db.lock import builder_lock
from skuscan_server.db.models import Feature, Neighbour, Product, Reference
from skuscan_server.db.session import Database
from skuscan_server.errors import BusyError
from skuscan_server.quality.nearest import Links, NearOptions, Rows, find_near

LOCK = "/neighbours"  # no assortment has a slash in its name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Catalogue:
    """Measured references in the order of their ids."""

    ids: npt.NDArray[np.int64]
    rows: Rows


class Neighbours:
    """Which references of a feature space look alike.

    Args:
        database: The catalogue.
        feature_space: 32 bytes.
        options: Which neighbours are kept.
        lease: s, after which another process that died while refreshing is taken over.
    """

    def __init__(self, database: Database, feature_space: bytes, options: NearOptions, lease: float) -> None:
        self._database = database
        self._feature_space = feature_space
        self._options = options
        self._lease = lease

    def refresh(self) -> None:
        """Compare what is pending. Where another process is at it for long, it is left to that one: advice can wait."""
        try:
            with builder_lock(self._database, LOCK, self._lease, wait=self._lease):
                self._refresh()
        except BusyError:
            log.warning(
                "another process compares the catalogue's pictures; look-alikes may be missing until it is done"
            )

    def _refresh(self) -> None:
        with self._database.write() as session:
            session.execute(delete(Neighbour).where(Neighbour.feature_space != self._feature_space))
        pending_ids = self._pending()
        if not pending_ids:
            return
        catalogue = self._load()
        pending = np.flatnonzero(np.isin(catalogue.ids, pending_ids))
        for links in find_near(catalogue.rows, pending, self._best(catalogue.ids), self._options):
            self._keep(catalogue.ids, links)

    def _pending(self) -> list[int]:
        has_row = exists().where(Neighbour.reference_id == Reference.id)
        query = (
            select(Reference.id)
            .join(Feature, Feature.picture_sha256 == Reference.picture_sha256)
            .where(Feature.feature_space == self._feature_space, ~has_row)
        )
        with self._database.read() as session:
            return list(session.scalars(query))

    def _load(self) -> _Catalogue:
        query = (
            select(Reference.id, Reference.sku, Product.group, Feature.embedding)
            .join(Reference.product)
            .join(Feature, Feature.picture_sha256 == Reference.picture_sha256)
            .where(Feature.feature_space == self._feature_space)
            .order_by(Reference.id)
        )
        with self._database.read() as session:
            found = session.execute(query).all()
        skus = np.unique([row.sku for row in found], return_inverse=True)[1]
        # A group's name may be another product's SKU: the flag keeps them apart.
        answers = np.unique([f"g{row.group}" if row.group else f"s{row.sku}" for row in found], return_inverse=True)[1]
        large = dequantize(stored_vectors([row.embedding for row in found])[:, 0])
        return _Catalogue(np.array([row.id for row in found], np.int64), Rows(large, skus, answers))

    def _best(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        query = select(Neighbour.reference_id, func.max(Neighbour.similarity)).group_by(Neighbour.reference_id)
        with self._database.read() as session:
            known = {row[0]: row[1] for row in session.execute(query)}
        return np.array([known.get(int(reference), -1.0) for reference in ids], np.float32)

    def _keep(self, ids: npt.NDArray[np.int64], links: Links) -> None:
        wanted = {(int(ids[row]), int(ids[other])): similarity for (row, other), similarity in links.items()}
        touched = sorted({reference for pair in wanted for reference in pair})
        live: set[int] = set()
        present: set[tuple[int, int]] = set()
        with self._database.write() as session:
            for chunk in batched(touched):
                # Held until the rows are in: a reference that is withdrawn meanwhile takes them with it.
                held = select(Reference.id).where(Reference.id.in_(chunk)).with_for_update(read=True, key_share=True)
                live |= set(session.scalars(held))
                rows = select(Neighbour.reference_id, Neighbour.other_id).where(Neighbour.reference_id.in_(chunk))
                present |= {(reference, other) for reference, other in session.execute(rows)}
            fresh = [
                {
                    "reference_id": reference,
                    "other_id": other,
                    "feature_space": self._feature_space,
                    "similarity": similarity,
                }
                for (reference, other), similarity in wanted.items()
                if {reference, other} <= live and (reference, other) not in present
            ]
            if fresh:
                session.execute(insert(Neighbour), fresh)
