"""The first half of a publication: from the catalogue to the records that are wanted, and what changed.

Everything here may be done again without harm: features and records are kept when they are finished, and devices see
nothing of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from skuscan.bundle.records import KEY_SEPARATOR
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import RECORD_KIND_REFERENCE, FileRef
from skuscan.store.blobs import BlobFolder
from skuscan_server.builder.delta import Change, compare
from skuscan_server.builder.margins import MarginFitter
from skuscan_server.builder.pairs import PairOptions, SimilarPair, find_pairs
from skuscan_server.builder.records import RecordId, RecordMaker, StoredRecord
from skuscan_server.builder.snapshot import Snapshot, load_snapshot
from skuscan_server.builder.state import last_publication, live_pairs, live_records
from skuscan_server.builder.vectors import Vectors, load_vectors
from skuscan_server.catalogue.pictures import FinishedWork, finish_pictures
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Display
from skuscan_server.db.session import Database
from skuscan_server.errors import PublishError
from skuscan_server.features import FeaturePool

Progress = Callable[[int, int], None]  # pictures done, of how many


@dataclass(frozen=True)
class Previous:
    """The last publication, as the database knows it.

    Attributes:
        manifest: None before the first.
        uncalibrated: References that changed since the decision was fitted.
        live: Its records.
        pairs: Its pairs.
    """

    manifest: Manifest | None
    uncalibrated: int
    live: dict[RecordId, StoredRecord]
    pairs: list[SimilarPair]


@dataclass(frozen=True)
class Plan:
    """What is going to be published.

    Attributes:
        snapshot: The assortment's content.
        previous: What is published.
        displays: Picture's SHA-256 -> its display picture.
        vectors: The references' embeddings, in key order.
        change: From the published records to the wanted ones.
        maker: Makes the records of the change.
    """

    snapshot: Snapshot
    previous: Previous
    displays: dict[bytes, FileRef]
    vectors: Vectors
    change: Change
    maker: RecordMaker

    def store(self, database: Database) -> dict[RecordId, StoredRecord]:
        """Make the records of the change, and give all those that will be live."""
        gone = self.change.withdrawn
        kept = {identity: record for identity, record in self.previous.live.items() if identity not in gone}
        return kept | self.maker.ensure(database, self.change.put)


class Preparation:
    """Plans publications.

    Args:
        database: The catalogue.
        pictures: Reference pictures as uploaded.
        work: Finished features.
        pairs: What makes two SKUs a pair.
        margins: Fits how far one of a pair must be ahead.
        model_sha256: Of the model's artefact; with another one, all pairs are found anew.
        batch: Pictures computed between two commits.
    """

    def __init__(
        self,
        database: Database,
        pictures: BlobFolder,
        work: FinishedWork,
        pairs: PairOptions,
        margins: MarginFitter,
        model_sha256: bytes,
        batch: int,
    ) -> None:
        self._database = database
        self._pictures = pictures
        self._work = work
        self._pairs = pairs
        self._margins = margins
        self._model_sha256 = model_sha256
        self._batch = batch

    def plan(self, assortment: str, pool: FeaturePool, progress: Progress) -> Plan:
        """Read the catalogue, finish features, and compare. Raises NotFoundError, PublishError."""
        previous, snapshot = self._read(assortment)
        self._finish_features(snapshot, pool, progress)
        displays = self._displays(snapshot)
        vectors = load_vectors(self._database, snapshot.references, self._work.feature_space)
        pairs = self._find_pairs(vectors, previous, snapshot, pool)
        maker = RecordMaker(snapshot, displays, pairs, self._work.feature_space)
        change = compare(maker.sources(), previous.live)
        return Plan(snapshot, previous, displays, vectors, change, maker)

    def _read(self, assortment: str) -> tuple[Previous, Snapshot]:
        with self._database.read() as session:
            snapshot = load_snapshot(session, assortment)
            last = last_publication(session, assortment)
            manifest = Manifest.FromString(last.manifest) if last else None
            live, pairs = live_records(session, assortment), live_pairs(session, assortment)
            return Previous(manifest, last.uncalibrated if last else 0, live, pairs), snapshot

    def _finish_features(self, snapshot: Snapshot, pool: FeaturePool, progress: Progress) -> None:
        lengths = {reference.picture_sha256: reference.picture_length for reference in snapshot.references}
        missing = {sha256: lengths[sha256] for sha256 in self._work.missing(lengths)}
        refused = finish_pictures(missing, self._pictures, self._work, pool, self._batch, progress)
        for reference in snapshot.references:
            if why := refused.get(reference.picture_sha256):
                raise PublishError(
                    f"every reference picture can be used: {why.rule}",
                    f"{reference.sku}, reference {reference.reference_id}: {why.received}",
                    "remove the reference or replace the picture",
                )

    def _displays(self, snapshot: Snapshot) -> dict[bytes, FileRef]:
        displays: dict[bytes, FileRef] = {}
        with self._database.read() as session:
            for batch in batched(sorted({reference.picture_sha256 for reference in snapshot.references})):
                query = select(Display).where(
                    Display.picture_sha256.in_(batch), Display.side == self._work.display_side
                )
                for row in session.scalars(query):
                    displays[row.picture_sha256] = FileRef(sha256=row.sha256, length=row.length)
        return displays

    def _find_pairs(
        self, vectors: Vectors, previous: Previous, snapshot: Snapshot, pool: FeaturePool
    ) -> list[SimilarPair]:
        kept: list[SimilarPair] = []
        changed = set(vectors.skus)
        if previous.manifest is not None and previous.manifest.model_sha256 == self._model_sha256:
            kept = previous.pairs
            before = {key for kind, key in previous.live if kind == RECORD_KIND_REFERENCE}
            changed = {key.split(KEY_SEPARATOR)[0] for key in before.symmetric_difference(vectors.keys)}
        pairs = find_pairs(vectors, changed, kept, self._pairs)
        new = {pair for pair in pairs if {pair.sku_a, pair.sku_b} & changed}
        return self._margins.fit(pairs, new, snapshot, pool)
