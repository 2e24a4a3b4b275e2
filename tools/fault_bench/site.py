"""A retailer's server in miniature: a real repository, made by the server's own code, of drawn-up records."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from skuscan.annoy_file import build_annoy
from skuscan.bundle.manifest import serialize_manifest
from skuscan.bundle.records import key_of, reference_id
from skuscan.bundle.segment import segment_ref, write_segment
from skuscan.bundle.state import state_digest
from skuscan.catalogue import stored_vectors
from skuscan.model import Head, feature_space
from skuscan.proto.bundle_pb2 import AnnoyRef, Calibration, Manifest, ModelArtifact, PreprocessSpec, SegmentRef
from skuscan.proto.catalogue_pb2 import (
    RECORD_KIND_PRODUCT,
    RECORD_KIND_REFERENCE,
    AttributeValue,
    FileRef,
    Money,
    Product,
    RecordKind,
    Reference,
)
from skuscan.store.blobs import BlobFolder
from skuscan_server.ceremony import Ceremony
from skuscan_server.keys import KeyFolder

ASSORTMENT = "default"


class Clock:
    """The repository's time."""

    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc).replace(microsecond=0)

    def __call__(self) -> datetime:
        """The time that it stands at."""
        return self.now

    def forward(self, **span: float) -> None:
        """Let time pass: `forward(minutes=1)`."""
        self.now += timedelta(**span)


def product(sku: str, price: int, display: FileRef | None) -> bytes:
    attributes = {"price": AttributeValue(money=Money(currency="EUR", minor_units=price))}
    return Product(sku=sku, name=f"Product {sku}", attributes=attributes, display=display).SerializeToString()


def reference(sku: str) -> bytes:
    rng = np.random.default_rng([*sku.encode()])
    embedding = rng.integers(-127, 128, 512, dtype=np.int8).tobytes()
    return Reference(
        sku=sku, reference_id=reference_id(sku.encode()), embedding=embedding, keypoints=rng.bytes(4_000)
    ).SerializeToString()


@dataclass
class Site:
    """A publisher and its HTTP server."""

    folder: Path
    keys: KeyFolder
    clock: Clock
    assortment: str = ASSORTMENT
    generation: int = 0
    rollout_percent: int = 100
    annoy: bool = False
    state: dict[tuple[RecordKind, str], bytes] = field(default_factory=dict)
    base: list[SegmentRef] = field(default_factory=list)
    deltas: list[SegmentRef] = field(default_factory=list)
    backbone: bytes = b"not a network"

    def __post_init__(self) -> None:
        self.blobs = BlobFolder(self.folder / "blobs")
        self.repository = Ceremony(self.folder, self.assortment, self.keys, self.clock)
        self.repository.create()

    def publish_base(self, *skus: str, displays: bool = False) -> Manifest:
        """A first generation, or a compaction: everything in new base segments."""
        for sku in skus:
            self._put(sku, 100, displays)
        self.base, self.deltas = self._segments(self.state, []), []
        return self.publish()

    def publish_delta(self, *skus: str, price: int = 100, withdrawn: tuple[str, ...] = ()) -> Manifest:
        """New or changed products, and withdrawn ones, as delta segments."""
        before = dict(self.state)
        for sku in skus:
            self._put(sku, price, displays=False)
        gone = [key for key in self.state if key[1].partition("\x1f")[0] in withdrawn]
        for key in gone:
            del self.state[key]
        changed = {key: record for key, record in self.state.items() if before.get(key) != record}
        self.deltas = [*self.deltas, *self._segments(changed, gone)]
        return self.publish()

    def publish(self, **fields: object) -> Manifest:
        """Sign the next generation, with other fields of its manifest than are true."""
        self.generation += 1
        manifest = self.manifest()
        for name, value in fields.items():
            setattr(manifest, name, value)
        self.repository.publish(serialize_manifest(manifest), self.model().SerializeToString())
        return manifest

    def model(self) -> ModelArtifact:
        """The artefact; its files are published. The backbone is no network, which a store does not mind."""
        head = Head(3.0, np.ones((2, 256), np.float32), np.zeros(256, np.float32), np.zeros(2, np.float32)).dump()
        return ModelArtifact(
            format=1,
            name="test",
            backbone=self.blobs.put(self.backbone),
            head=self.blobs.put(head),
            preprocess=PreprocessSpec(size=224),
        )

    def manifest(self) -> Manifest:
        """What would be published now."""
        model = self.model()
        manifest = Manifest(
            format=1,
            assortment=self.assortment,
            generation=self.generation,
            previous_generation=self.generation - 1,
            created_unix_ms=int(self.clock.now.timestamp() * 1_000),
            feature_space=feature_space(model),
            model_sha256=hashlib.sha256(model.SerializeToString()).digest(),
            base_segments=self.base,
            delta_segments=self.deltas,
            state_digest=state_digest(
                (kind, key, hashlib.sha256(record).digest()) for (kind, key), record in sorted(self.state.items())
            ),
            products=sum(kind == RECORD_KIND_PRODUCT for kind, _ in self.state),
            references=sum(kind == RECORD_KIND_REFERENCE for kind, _ in self.state),
            calibration=Calibration(spread=1),
            rollout_percent=self.rollout_percent,
        )
        if self.annoy:
            manifest.annoy.CopyFrom(self._annoy())
        return manifest

    def _put(self, sku: str, price: int, displays: bool) -> None:
        display = self.blobs.put(f"picture of {sku}".encode()) if displays else None
        for kind, record in (
            (RECORD_KIND_PRODUCT, product(sku, price, display)),
            (RECORD_KIND_REFERENCE, reference(sku)),
        ):
            self.state[kind, key_of(kind, record)] = record

    def _segments(
        self, records: dict[tuple[RecordKind, str], bytes], gone: list[tuple[RecordKind, str]]
    ) -> list[SegmentRef]:
        made = []
        for kind in (RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE):
            new = [record for (of, _), record in records.items() if of == kind]
            withdrawn = [key for of, key in gone if of == kind]
            if new or withdrawn:
                data = write_segment(kind, new, withdrawn)
                self.blobs.put(data)
                made.append(segment_ref(data))
        return made

    def _annoy(self) -> AnnoyRef:
        ordered = sorted(key for kind, key in self.state if kind == RECORD_KIND_REFERENCE)
        records = [Reference.FromString(self.state[RECORD_KIND_REFERENCE, key]) for key in ordered]
        rows = stored_vectors([record.embedding for record in records])
        path = self.folder / "index.annoy"
        build_annoy(rows, path, trees=2, seed=7)
        return AnnoyRef(file=self.blobs.put(path.read_bytes()), trees=2, seed=7, references=len(rows))
