"""A retailer's server in miniature: a real repository, made by the server's own code, behind a real HTTP server."""

import faulthandler
import hashlib
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from skuscan.bundle.manifest import serialize_manifest
from skuscan.bundle.records import key_of, reference_id
from skuscan.bundle.segment import segment_ref, write_segment
from skuscan.bundle.state import state_digest
from skuscan.index import build_annoy
from skuscan.model import Head, feature_space, file_ref
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
from skuscan.store import DeviceIdentity, Store
from skuscan.store.blobs import BlobFolder
from skuscan.sync import SyncLimits, SyncOptions
from skuscan.sync.downloader import Downloader
from skuscan.sync.token import EnrolToken
from skuscan.sync.transport import Transport
from skuscan.sync.trust import TrustedMetadata
from skuscan_server.ceremony import Ceremony
from skuscan_server.keys import KeyFolder, init_keys

DEADLINE_SECONDS = 60.0  # s
ASSORTMENT = "default"
SECRET = "s" * 24
LIMITS = SyncLimits(
    connect_seconds=2.0,
    gap_seconds=0.4,
    header_seconds=0.4,
    answer_seconds=0.8,
    file_seconds=2.0,
    minimum_rate=1_000.0,
    rate_window_seconds=0.3,
    attempts=3,
    backoff_seconds=0.01,
    block_bytes=4_096,
    piece_bytes=1_024,
)
OPTIONS = SyncOptions(limits=LIMITS, poll_seconds=0.02)


class Clock:
    """The repository's time."""

    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


def product(sku: str, price: int, display: FileRef | None) -> bytes:
    attributes = {"price": AttributeValue(money=Money(currency="EUR", minor_units=price))}
    return Product(sku=sku, name=f"Product {sku}", attributes=attributes, display=display).SerializeToString()


def reference(sku: str) -> bytes:
    rng = np.random.default_rng([*sku.encode()])
    embedding = rng.integers(-127, 128, 256, dtype=np.int8).tobytes()
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
        self.generation += 1
        manifest = self.manifest()
        for name, value in fields.items():
            setattr(manifest, name, value)
        self.repository.publish(serialize_manifest(manifest), self.model().SerializeToString())
        return manifest

    def model(self) -> ModelArtifact:
        head = Head(3.0, np.ones((2, 256), np.float32), np.zeros(256, np.float32), np.zeros(2, np.float32)).dump()
        return ModelArtifact(
            format=1,
            name="test",
            backbone=self.blobs.put(self.backbone),
            head=self.blobs.put(head),
            preprocess=PreprocessSpec(size=224),
        )

    def manifest(self) -> Manifest:
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
        rows = np.stack([np.frombuffer(record.embedding, np.int8) for record in records])
        path = self.folder / "index.annoy"
        build_annoy(rows, path, trees=2, seed=7)
        return AnnoyRef(file=self.blobs.put(path.read_bytes()), trees=2, seed=7, items=len(rows))


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """Whatever waits for ever here is ended and shown; a machine ten times as slow as ours needs half of this time."""

    def late(number: int, frame: object) -> None:
        faulthandler.dump_traceback()
        raise TimeoutError(f"a test of syncing ends in {DEADLINE_SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durability is the store's tests' subject; here it would take most of the time."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFolder:
    return init_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def site(tmp_path: Path, keys: KeyFolder, clock: Clock) -> Site:
    return Site(tmp_path / "published", keys, clock)


@pytest.fixture
def other_site(tmp_path: Path, keys: KeyFolder, clock: Clock) -> Site:
    """Another assortment of the same retailer, under the same root keys."""
    return Site(tmp_path / "other", keys, clock, "other")


@pytest.fixture
def server(site: Site, serve):
    """The published folder on loopback."""
    return serve(site.folder)


@pytest.fixture
def options() -> SyncOptions:
    return OPTIONS


@pytest.fixture
def transport(options: SyncOptions) -> Transport:
    return Transport(options)


@pytest.fixture
def identity(site: Site, server) -> DeviceIdentity:
    return DeviceIdentity(
        server_url=server.url,
        device_id="kiosk-1",
        device_token="secret",
        assortment=site.assortment,
        root_sha256=site.repository.root_sha256(),
        metadata_url=f"/tuf/{site.assortment}/metadata",
        targets_url=f"tuf/{site.assortment}/targets/",
        blobs_url=f"{server.url}/blobs/sha256",
    )


@pytest.fixture
def store(tmp_path: Path, identity: DeviceIdentity) -> Store:
    return Store.create(tmp_path / "store", identity)


@pytest.fixture
def trust(tmp_path: Path, site: Site, server, transport: Transport) -> TrustedMetadata:
    return TrustedMetadata(
        tmp_path / "tuf",
        tmp_path / "scratch",
        site.assortment,
        bytes.fromhex(site.repository.root_sha256()),
        f"{server.url}/tuf/{site.assortment}/metadata",
        transport,
    )


@pytest.fixture
def published(site, server, trust, clock):
    """Generation 1 is published and this device knows it."""
    site.publish_base("a", "b", "c")
    assert trust.refresh().generation == 1
    clock.forward(minutes=1)
    return site


@pytest.fixture
def downloader(tmp_path: Path, transport: Transport) -> Downloader:
    return Downloader(transport, BlobFolder(tmp_path / "blobs"), tmp_path / "parts")


@pytest.fixture
def token(site: Site) -> EnrolToken:
    return EnrolToken(ASSORTMENT, SECRET, bytes.fromhex(site.repository.root_sha256()))


@pytest.fixture
def pass_probes() -> Callable[[object], None]:
    return lambda generation: None


@pytest.fixture
def with_limits() -> Callable[..., SyncOptions]:
    """The tests' options with some limits changed."""
    return lambda **limits: replace(OPTIONS, limits=replace(LIMITS, **limits))


@pytest.fixture
def signed_json() -> Callable[[Path], dict]:
    return lambda path: json.loads(path.read_text())["signed"]


@pytest.fixture
def blob() -> Callable[[Site, bytes], FileRef]:
    """Publishes some bytes as a blob."""

    def publish(site: Site, data: bytes) -> FileRef:
        ref = site.blobs.put(data)
        assert ref == file_ref(data)
        return ref

    return publish
