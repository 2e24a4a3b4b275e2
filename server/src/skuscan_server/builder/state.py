"""What is live in an assortment, and noting a new publication."""

import time
from collections.abc import Mapping
from typing import cast

from sqlalchemy import and_, delete, func, insert, select
from sqlalchemy.orm import Session

from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PAIR, Pair, RecordKind
from skuscan_server.builder.delta import Change
from skuscan_server.builder.pairs import MARGIN_DECIMALS, SIMILARITY_DECIMALS, SimilarPair
from skuscan_server.builder.records import RecordId, StoredRecord
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Assortment, LiveRecord, Publication, Record


def live_records(session: Session, assortment: str) -> dict[RecordId, StoredRecord]:
    """The records of the last publication that the database knows of."""
    query = (
        select(Record.kind, Record.key, Record.id, Record.source, Record.sha256, func.length(Record.data))
        .join(LiveRecord, LiveRecord.record_id == Record.id)
        .where(LiveRecord.assortment == assortment)
    )
    return {
        (cast(RecordKind, kind), key): StoredRecord(row, source, sha256, length)
        for kind, key, row, source, sha256, length in session.execute(query)
    }


def live_pairs(session: Session, assortment: str) -> list[SimilarPair]:
    """The pairs of the last publication."""
    query = (
        select(Record.data)
        .join(LiveRecord, LiveRecord.record_id == Record.id)
        .where(LiveRecord.assortment == assortment, LiveRecord.kind == RECORD_KIND_PAIR)
    )
    pairs = (Pair.FromString(data) for data in session.scalars(query))
    return [
        SimilarPair(
            pair.sku_a,
            pair.sku_b,
            round(pair.similarity, SIMILARITY_DECIMALS),
            round(pair.minimum_margin, MARGIN_DECIMALS),
        )
        for pair in pairs
    ]


def last_publication(session: Session, assortment: str) -> Publication | None:
    """The newest publication that the database knows of."""
    query = select(Publication).where(Publication.assortment == assortment)
    return session.scalars(query.order_by(Publication.generation.desc()).limit(1)).first()


def note_built(assortment: Assortment, version: int) -> None:
    """Note that the assortment is published as the catalogue was at `version`."""
    assortment.built_version, assortment.built_at = version, time.time()
    assortment.publish_requested, assortment.last_error = "", ""


def note_publication(session: Session, manifest: Manifest, data: bytes, kind: str, uncalibrated: int) -> None:
    """Keep a publication, which was signed when its manifest was made.

    Args:
        session: Writes.
        manifest: Which was published.
        data: The manifest's bytes.
        kind: What sort of publication.
        uncalibrated: References that changed since the decision was fitted.
    """
    signed_at = manifest.created_unix_ms / 1_000
    session.add(
        Publication(
            assortment=manifest.assortment,
            generation=manifest.generation,
            created_at=signed_at,
            kind=kind,
            manifest=data,
            uncalibrated=uncalibrated,
        )
    )
    session.get_one(Assortment, manifest.assortment).signed_at = signed_at


def note_live(session: Session, assortment: str, change: Change, stored: Mapping[RecordId, StoredRecord]) -> None:
    """Make the changed records live."""
    for batch in batched(sorted([*change.withdrawn, *change.put])):
        by_kind: dict[RecordKind, list[str]] = {}
        for kind, key in batch:
            by_kind.setdefault(kind, []).append(key)
        for kind, keys in by_kind.items():
            mine = and_(LiveRecord.assortment == assortment, LiveRecord.kind == kind, LiveRecord.key.in_(keys))
            session.execute(delete(LiveRecord).where(mine))
    for batch in batched(sorted(change.put)):
        rows = [
            {"assortment": assortment, "kind": kind, "key": key, "record_id": stored[kind, key].row}
            for kind, key in batch
        ]
        session.execute(insert(LiveRecord), rows)
