"""From a snapshot to records: serialised once, kept as bytes for ever.

Each wanted record has a *source*, the digest of what it would be made from. A record is made only when the table has
none of that kind, key and source; two assortments with the same product share its bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy import func, insert, select

from skuscan.bundle.records import KEY_SEPARATOR, parse_record
from skuscan.proto.catalogue_pb2 import (
    RECORD_KIND_PAIR,
    RECORD_KIND_PRODUCT,
    RECORD_KIND_REFERENCE,
    FileRef,
    Pair,
    RecordKind,
    Reference,
)
from skuscan_server.builder.pairs import SimilarPair
from skuscan_server.builder.snapshot import Snapshot, SnapshotReference
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Feature, Record
from skuscan_server.db.session import Database

RecordId = tuple[RecordKind, str]  # kind and key


@dataclass(frozen=True)
class StoredRecord:
    """A record in the table, without its bytes."""

    row: int
    source: bytes
    sha256: bytes
    length: int  # bytes


class RecordMaker:
    """Makes the records of one snapshot.

    Args:
        snapshot: The assortment's content.
        displays: Picture's SHA-256 -> its published display picture.
        pairs: Easily confused SKUs.
        feature_space: 32 bytes.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        displays: Mapping[bytes, FileRef],
        pairs: Iterable[SimilarPair],
        feature_space: bytes,
    ) -> None:
        self._snapshot = snapshot
        self._displays = displays
        self._references = {reference.key: reference for reference in snapshot.references}
        self._pairs = {f"{pair.sku_a}{KEY_SEPARATOR}{pair.sku_b}": pair for pair in pairs}
        self._feature_space = feature_space

    def sources(self) -> dict[RecordId, bytes]:
        """Every record that the snapshot wants, and the digest of what it is made from."""
        sources: dict[RecordId, bytes] = {}
        for sku in self._snapshot.products:
            sources[RECORD_KIND_PRODUCT, sku] = self._product_source(sku)
        for key, reference in self._references.items():
            sources[RECORD_KIND_REFERENCE, key] = _digest(
                [reference.sku, reference.picture_sha256.hex(), self._feature_space.hex()]
            )
        for key, pair in self._pairs.items():
            sources[RECORD_KIND_PAIR, key] = _digest([pair.sku_a, pair.sku_b, pair.similarity, pair.minimum_margin])
        return sources

    def ensure(self, database: Database, wanted: Mapping[RecordId, bytes]) -> dict[RecordId, StoredRecord]:
        """See that the table holds these records (id -> source), and say where."""
        stored: dict[RecordId, StoredRecord] = {}
        for chunk in batched(sorted(wanted)):
            found = find_records(database, {key: wanted[key] for key in chunk})
            fresh = [identity for identity in chunk if identity not in found]
            if fresh:
                self._insert(database, fresh, wanted)
                found |= find_records(database, {key: wanted[key] for key in fresh})
            stored |= found
        return stored

    def _insert(self, database: Database, fresh: list[RecordId], wanted: Mapping[RecordId, bytes]) -> None:
        made = self._make(database, fresh)
        with database.write() as session:
            # Another assortment's builder may have been first; its bytes are the record then.
            keys = {key for _, key in fresh}
            query = select(Record.kind, Record.key, Record.source).where(Record.key.in_(keys))
            present = {(row.kind, row.key, row.source) for row in session.execute(query)}
            rows = [
                {
                    "kind": kind,
                    "key": key,
                    "source": wanted[kind, key],
                    "sha256": hashlib.sha256(data).digest(),
                    "data": data,
                }
                for (kind, key), data in made
                if (kind, key, wanted[kind, key]) not in present
            ]
            if rows:
                session.execute(insert(Record), rows)

    def _make(self, database: Database, identities: list[RecordId]) -> list[tuple[RecordId, bytes]]:
        references = [self._references[key] for kind, key in identities if kind == RECORD_KIND_REFERENCE]
        features = load_features(database, references, self._feature_space)
        made: list[tuple[RecordId, bytes]] = []
        for kind, key in identities:
            if kind == RECORD_KIND_PRODUCT:
                data = self._snapshot.products[key].record(self._display(key))
            elif kind == RECORD_KIND_REFERENCE:
                data = reference_record(self._references[key], features)
            else:
                pair = self._pairs[key]
                data = Pair(
                    sku_a=pair.sku_a,
                    sku_b=pair.sku_b,
                    similarity=pair.similarity,
                    minimum_margin=pair.minimum_margin,
                ).SerializeToString()
            parse_record(kind, data)
            made.append(((kind, key), data))
        return made

    def _display(self, sku: str) -> FileRef | None:
        picture = self._snapshot.displays.get(sku)
        return self._displays[picture] if picture else None

    def _product_source(self, sku: str) -> bytes:
        product, display = self._snapshot.products[sku], self._display(sku)
        return _digest(
            [
                *(product.sku, product.name, product.gtin, product.group, dict(product.attributes)),
                [display.sha256.hex(), display.length] if display else [],
            ]
        )


def find_records(database: Database, wanted: Mapping[RecordId, bytes]) -> dict[RecordId, StoredRecord]:
    """Those of the wanted records (id -> source) that the table holds."""
    found: dict[RecordId, StoredRecord] = {}
    with database.read() as session:
        for chunk in batched(sorted({key for _, key in wanted})):
            query = select(Record.id, Record.kind, Record.key, Record.source, Record.sha256, func.length(Record.data))
            for row, kind, key, source, sha256, length in session.execute(query.where(Record.key.in_(chunk))):
                identity = (cast(RecordKind, kind), key)
                if wanted.get(identity) == source:
                    found[identity] = StoredRecord(row, source, sha256, length)
    return found


def load_records(database: Database, rows: Iterable[int]) -> Iterator[bytes]:
    """The bytes of records, in no particular order."""
    with database.read() as session:
        for chunk in batched(rows):
            yield from session.scalars(select(Record.data).where(Record.id.in_(chunk)))


def load_features(
    database: Database, references: Iterable[SnapshotReference], feature_space: bytes
) -> dict[bytes, Feature]:
    """The finished features of some references, by the SHA-256 of their pictures."""
    features: dict[bytes, Feature] = {}
    with database.read() as session:
        for chunk in batched(sorted({reference.picture_sha256 for reference in references})):
            query = select(Feature).where(Feature.picture_sha256.in_(chunk), Feature.feature_space == feature_space)
            features |= {row.picture_sha256: row for row in session.scalars(query)}
    return features


def reference_record(reference: SnapshotReference, features: Mapping[bytes, Feature]) -> bytes:
    """The record of a reference, from `load_features`."""
    feature = features[reference.picture_sha256]
    return Reference(
        sku=reference.sku,
        reference_id=reference.reference_id,
        embedding=feature.embedding,
        keypoints=feature.keypoints,
        appearance=feature.appearance,
    ).SerializeToString()


def _digest(parts: list[object]) -> bytes:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).digest()
