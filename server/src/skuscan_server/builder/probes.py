"""Probe pictures: a device must answer them right before a new generation is trusted.

A probe is the display picture of a reference, small and free of any field, and the embedding that the server's own
extractor makes of it. Only probes with one clear answer are taken. Which are tried depends on their keys' digests, so
that small changes of the catalogue leave the probes as they are.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from skuscan.catalogue import stored_vectors
from skuscan.embedding import dequantize
from skuscan.index import ExactIndex, Query
from skuscan.model import EMBEDDING_SIZE, REFERENCE_FILLS
from skuscan.proto.bundle_pb2 import Probe
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.blobs import BlobFolder
from skuscan_server.builder.snapshot import Snapshot
from skuscan_server.builder.vectors import Vectors
from skuscan_server.catalogue.pictures import FinishedWork, PictureJob
from skuscan_server.db.models import Feature
from skuscan_server.db.session import Database
from skuscan_server.features import FeaturePool

MINIMUM_MARGIN = 0.02  # cosine between the right SKU and the next one
TRIED_PER_PROBE = 4  # pictures tried for each probe wanted


@dataclass(frozen=True)
class _Candidate:
    sku: str
    picture: FileRef


class ProbeChooser:
    """Chooses probes; their features are finished work like any other.

    Args:
        database: Where finished work is noted.
        work: What finishes it.
        published: Where the display pictures are.
        pool: What computes features.
    """

    def __init__(self, database: Database, work: FinishedWork, published: BlobFolder, pool: FeaturePool) -> None:
        self._database = database
        self._work = work
        self._published = published
        self._pool = pool

    def choose(
        self, snapshot: Snapshot, vectors: Vectors, displays: Mapping[bytes, FileRef], wanted: int
    ) -> list[Probe]:
        """Up to `wanted` probes, in a fixed order; fewer when the pictures have no clear answers."""
        candidates = list(_candidates(snapshot, displays, wanted * TRIED_PER_PROBE))
        embeddings = self._embeddings([candidate.picture for candidate in candidates])
        index = ExactIndex(vectors.rows.reshape(-1, EMBEDDING_SIZE))
        skus = np.repeat(np.array(vectors.skus, dtype=object), len(REFERENCE_FILLS))
        clear = (
            Probe(picture=candidate.picture, sku=candidate.sku, embedding=embeddings[candidate.picture.sha256])
            for candidate in candidates
            if is_clear(index, skus, candidate.sku, embeddings.get(candidate.picture.sha256, b""))
        )
        return list(islice(clear, wanted))

    def _embeddings(self, pictures: list[FileRef]) -> dict[bytes, bytes]:
        """SHA-256 -> embedding, without those that cannot be used."""
        refs = {ref.sha256: ref for ref in pictures}
        missing = sorted(self._work.missing(refs))
        jobs = [PictureJob(sha256, partial(self._published.read, refs[sha256])) for sha256 in missing]
        self._work.finish(jobs, self._pool, len(jobs) + 1, lambda _: None)
        query = select(Feature.picture_sha256, Feature.embedding).where(
            Feature.picture_sha256.in_(list(refs)), Feature.feature_space == self._work.feature_space
        )
        with self._database.read() as session:
            return {row.picture_sha256: row.embedding for row in session.execute(query)}


def _candidates(snapshot: Snapshot, displays: Mapping[bytes, FileRef], count: int) -> Iterator[_Candidate]:
    """The first `count` references in the order of their keys' digests, each display picture once."""
    seen: set[bytes] = set()
    for reference in sorted(snapshot.references, key=lambda r: hashlib.sha256(r.key.encode()).digest()):
        picture = displays[reference.picture_sha256]
        if picture.sha256 not in seen and len(seen) < count:
            seen.add(picture.sha256)
            yield _Candidate(reference.sku, picture)


def is_clear(index: ExactIndex, skus: npt.NDArray[np.object_], sku: str, embedding: bytes) -> bool:
    """Whether a device that scans the picture finds the SKU's own nearest, and every other SKU well behind.

    Args:
        index: Of all references' vectors.
        skus: (N,) whose each vector is.
        sku: What the picture shows.
        embedding: Of the picture; empty: it cannot be used.
    """
    if not embedding:
        return False
    scan = dequantize(stored_vectors([embedding])[0, 0])
    numbers, similarities = index.nearest(Query.of(scan), len(index))
    own = skus[numbers] == sku
    others = similarities[~own]
    return bool(similarities[own].max() >= (others.max() if others.size else -1.0) + MINIMUM_MARGIN)
