"""A retailer's server in miniature: a real repository, made by the server's own code, behind a real HTTP server that
lies, stalls and cuts on request."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
from skuscan_server.keys import KeyFolder, init_keys
from skuscan_server.repository import TufRepository

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

Fault = Callable[["Handler", bytes], None]


@dataclass(frozen=True)
class Request:
    """What a device asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Serves a folder with ranges, and misbehaves where the test has put a fault."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.note(b"")
        data = self.server.content(self.path)
        fault = self.server.fault_of(self.path)
        if fault is not None:
            self.close_connection = True
            fault(self, data or b"")
        elif data is None:
            self.answer(404, b"")
        else:
            self.answer_range(data)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.note(body)
        status, answer = self.server.api(self.path, body)
        self.answer(status, answer, {"Content-Type": "application/json"})

    def answer_range(self, data: bytes) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match is None:
            self.answer(200, data)
        elif int(match[1]) >= len(data):
            self.answer(416, b"")
        else:
            start = int(match[1])
            self.answer(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def answer(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.server.sent += len(data)

    def note(self, body: bytes) -> None:
        self.server.requests.append(Request(self.command, self.path, dict(self.headers), body))

    def log_message(self, *args: object) -> None:
        """Tests read `requests`."""


class Server(ThreadingHTTPServer):
    """The published folder on loopback."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.requests: list[Request] = []
        self.sent = 0  # bytes of bodies
        self.released = threading.Event()  # set at the end: whoever stalls goes home
        self.faults: list[tuple[str, Fault, int]] = []
        self.overlay: dict[str, bytes] = {}  # path -> other content
        self.api: Callable[[str, bytes], tuple[int, bytes]] = lambda path, body: (200, b"{}")
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def content(self, path: str) -> bytes | None:
        if path in self.overlay:
            return self.overlay[path]
        file = self.root / path.lstrip("/")
        return file.read_bytes() if file.is_file() else None

    def misbehave(self, pattern: str, fault: Fault, times: int = 1_000) -> None:
        """Answer requests whose path matches with a fault, so many times."""
        self.faults.append((pattern, fault, times))

    def fault_of(self, path: str) -> Fault | None:
        for place, (pattern, fault, times) in enumerate(self.faults):
            if times and re.search(pattern, path):
                self.faults[place] = (pattern, fault, times - 1)
                return fault
        return None

    def paths(self, method: str = "GET") -> list[str]:
        return [request.path for request in self.requests if request.method == method]

    def handle_error(self, request: object, client_address: object) -> None:
        """A device that hangs up is what tests make happen."""


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
        self.repository = TufRepository(self.folder, self.assortment, self.keys, self.clock)
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
        head = Head(3.0, np.ones((2, 256), np.float32), np.zeros(256, np.float32)).dump()
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
def server(site: Site) -> Iterator[Server]:
    server = Server(site.folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def options() -> SyncOptions:
    return OPTIONS


@pytest.fixture
def transport(options: SyncOptions) -> Transport:
    return Transport(options)


@pytest.fixture
def identity(site: Site, server: Server) -> DeviceIdentity:
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
def trust(tmp_path: Path, site: Site, server: Server, transport: Transport) -> TrustedMetadata:
    return TrustedMetadata(
        tmp_path / "tuf",
        tmp_path / "scratch",
        site.assortment,
        bytes.fromhex(site.repository.root_sha256()),
        f"{server.url}/tuf/{site.assortment}/metadata",
        transport,
    )


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


class Faults:
    """Ways for a server to misbehave."""

    @staticmethod
    def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Fault:
        return lambda handler, data: handler.answer(code, body, headers)

    @staticmethod
    def redirect(location: str) -> Fault:
        return lambda handler, data: handler.answer(302, b"", {"Location": location})

    @staticmethod
    def cut_after(count: int) -> Fault:
        """So many bytes of the answer that was asked for, then the line is dead."""

        def fault(handler: Handler, data: bytes) -> None:
            start = int(re.sub(r"\D", "", handler.headers.get("Range", "")) or 0)
            headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
            handler.answer(206 if start else 200, data[start : start + count], headers, length=len(data) - start)

        return fault

    @staticmethod
    def no_ranges(handler: Handler, data: bytes) -> None:
        handler.answer(200, data)

    @staticmethod
    def stall(handler: Handler, data: bytes) -> None:
        """A head, and then nothing."""
        handler.answer(200, b"", length=len(data))
        handler.server.released.wait(10)

    @staticmethod
    def trickle_body(handler: Handler, data: bytes) -> None:
        """A byte now and then, often enough for a gap timeout."""
        handler.answer(200, b"", length=len(data))
        for byte in data:
            handler.wfile.write(bytes([byte]))
            if handler.server.released.wait(0.05):
                return

    @staticmethod
    def trickle_head(handler: Handler, data: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.server.released.wait(0.05):
            handler.wfile.write(b"X")

    @staticmethod
    def endless(handler: Handler, data: bytes) -> None:
        """What was asked for, and more and more."""
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(data)
        while not handler.server.released.is_set():
            handler.wfile.write(bytes(65_536))
            handler.server.sent += 65_536


@pytest.fixture
def faults() -> type[Faults]:
    return Faults


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
