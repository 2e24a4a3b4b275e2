"""A publisher in memory: makes signed-looking generations of a small catalogue and delivers their files to a store."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from skuscan.bundle.manifest import serialize_manifest
from skuscan.bundle.records import key_of, reference_id
from skuscan.bundle.segment import segment_ref, write_segment
from skuscan.bundle.state import state_digest
from skuscan.model import Head, feature_space, file_ref
from skuscan.proto.bundle_pb2 import (
    AnnoyRef,
    Calibration,
    Manifest,
    ModelArtifact,
    PreprocessSpec,
    Probe,
    SegmentRef,
)
from skuscan.proto.catalogue_pb2 import (
    RECORD_KIND_PAIR,
    RECORD_KIND_PRODUCT,
    RECORD_KIND_REFERENCE,
    AttributeValue,
    FileRef,
    Money,
    Pair,
    Product,
    RecordKind,
    Reference,
)
from skuscan.store import DeviceIdentity, Store
from skuscan.store.durable import DISK, Disk
from tools.fault_bench.disks import memory_folder

State = dict[tuple[RecordKind, str], bytes]


def product(sku: str, price: int = 100, display: FileRef | None = None) -> bytes:
    attributes = {"price": AttributeValue(money=Money(currency="EUR", minor_units=price))}
    return Product(sku=sku, name=f"Product {sku}", attributes=attributes, display=display).SerializeToString()


def reference(sku: str, seed: int = 0, keypoint_bytes: int = 200) -> bytes:
    rng = np.random.default_rng([seed, *sku.encode()])
    embedding = rng.integers(-127, 128, 512, dtype=np.int8).tobytes()
    picture = f"{sku} {seed}".encode()
    return Reference(
        sku=sku, reference_id=reference_id(picture), embedding=embedding, keypoints=rng.bytes(keypoint_bytes)
    ).SerializeToString()


def pair(sku: str, other: str) -> bytes:
    first, second = sorted((sku, other))
    return Pair(sku_a=first, sku_b=second, similarity=0.9, minimum_margin=0.1).SerializeToString()


def small_model() -> tuple[bytes, list[bytes]]:
    """A model artefact and its files; the backbone is no network, which a store does not mind."""
    backbone = b"not a network"
    head = Head(3.0, np.ones((2, 256), np.float32), np.zeros(256, np.float32), np.zeros(2, np.float32)).dump()
    artifact = ModelArtifact(
        format=1, name="test", backbone=file_ref(backbone), head=file_ref(head), preprocess=PreprocessSpec(size=224)
    )
    return artifact.SerializeToString(), [backbone, head]


@dataclass
class Generation:
    """What a server publishes: a manifest, a model, and blobs."""

    manifest: Manifest
    model: bytes
    blobs: list[bytes]

    def deliver(self, store: Store) -> int:
        """Put the files in a store and prepare the generation."""
        for blob in self.blobs:
            store.blobs.put(blob)
        return store.prepare(serialize_manifest(self.manifest), self.model)


@dataclass
class Publisher:
    """Publishes one generation after another, each a base or a base and deltas."""

    number: int = 0
    state: State = field(default_factory=dict)
    base: list[SegmentRef] = field(default_factory=list)
    deltas: list[SegmentRef] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    displays: list[bytes] = field(default_factory=list)
    annoy: bytes = b""

    def put(self, kind: RecordKind, *records: bytes) -> None:
        self.state.update({(kind, key_of(kind, record)): record for record in records})

    def add(self, *skus: str, price: int = 100, seed: int = 0) -> None:
        """New or changed products, with a reference each."""
        self.put(RECORD_KIND_PRODUCT, *(product(sku, price) for sku in skus))
        self.put(RECORD_KIND_REFERENCE, *(reference(sku, seed) for sku in skus))

    def rebase(self) -> Generation:
        """Everything in new base segments."""
        self.base, self.deltas, self.blobs = [], [], []
        for kind in (RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE, RECORD_KIND_PAIR):
            records = [record for (k, _), record in self.state.items() if k == kind]
            half = len(records) // 2
            for part in (records[:half], records[half:]):
                self._segment(self.base, kind, part, [])
        return self.publish()

    def change(self, before: State) -> Generation:
        """What changed since a state, as delta segments."""
        for kind in (RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE, RECORD_KIND_PAIR):
            new = [r for (k, key), r in self.state.items() if k == kind and before.get((k, key)) != r]
            gone = [key for k, key in before if k == kind and (k, key) not in self.state]
            self._segment(self.deltas, kind, new, gone)
        return self.publish()

    def publish(self) -> Generation:
        self.number += 1
        model, model_files = small_model()
        probe_picture = b"a probe"
        manifest = Manifest(
            format=1,
            assortment="default",
            generation=self.number,
            previous_generation=self.number - 1,
            created_unix_ms=1_790_000_000_000 + self.number,
            feature_space=feature_space(ModelArtifact.FromString(model)),
            model_sha256=hashlib.sha256(model).digest(),
            base_segments=self.base,
            delta_segments=self.deltas,
            state_digest=state_digest(
                (k, key, hashlib.sha256(r).digest()) for (k, key), r in sorted(self.state.items())
            ),
            products=self._count(RECORD_KIND_PRODUCT),
            references=self._count(RECORD_KIND_REFERENCE),
            calibration=Calibration(spread=1),
            probes=[Probe(picture=file_ref(probe_picture), sku="A", embedding=b"\x01" * 512)],
            rollout_percent=100,
        )
        if self.annoy:
            references = sum(s.records for s in self.base if s.kind == RECORD_KIND_REFERENCE)
            manifest.annoy.CopyFrom(AnnoyRef(file=file_ref(self.annoy), trees=10, references=references, seed=1))
        files = [*self.blobs, *model_files, *self.displays, probe_picture, *([self.annoy] if self.annoy else [])]
        return Generation(manifest, model, files)

    def _count(self, kind: RecordKind) -> int:
        return sum(k == kind for k, _ in self.state)

    def _segment(self, to: list[SegmentRef], kind: RecordKind, records: list[bytes], gone: Iterable[str]) -> None:
        if records or gone:
            data = write_segment(kind, records, gone)
            self.blobs.append(data)
            to.append(segment_ref(data))


IDENTITY = DeviceIdentity(
    server_url="http://127.0.0.1:1",
    device_id="d1",
    device_token="secret",
    assortment="default",
    root_sha256="00" * 32,
    metadata_url="tuf/default/metadata/",
    targets_url="tuf/default/targets/",
    blobs_url="blobs/sha256/",
)


@pytest.fixture
def identity() -> DeviceIdentity:
    return IDENTITY


@pytest.fixture
def publisher() -> Publisher:
    """A publisher of a catalogue of six products, A..F, with a pair."""
    made = Publisher()
    made.add(*"ABCDEF")
    made.put(RECORD_KIND_PAIR, pair("A", "B"))
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An enrolled store without a generation."""
    return Store.create(tmp_path / "store", IDENTITY, DISK)


@pytest.fixture
def pass_probes():
    """A trial that every generation passes."""
    return lambda generation: None


@pytest.fixture
def two(store, publisher, pass_probes):
    """A store whose generation 1 is live, and generation 2 to come."""
    publisher.annoy = b"an index"
    store.activate(publisher.rebase().deliver(store), pass_probes)
    before = dict(publisher.state)
    publisher.add("G", price=7)
    return store, publisher.change(before)


@pytest.fixture
def flip():
    """Damages one byte of a file."""

    def flip(path: Path, at: int = -1) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 0x40
        path.unlink()  # other names of the file stay as they are
        path.write_bytes(data)

    return flip


@pytest.fixture
def records():
    """The makers of records."""

    class Makers:
        product = staticmethod(product)
        reference = staticmethod(reference)
        pair = staticmethod(pair)

    return Makers


@pytest.fixture
def disk() -> Disk:
    return DISK


@pytest.fixture
def work(tmp_path):
    """A folder for hundreds of stores."""
    with memory_folder(tmp_path) as folder:
        yield folder
