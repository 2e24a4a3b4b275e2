"""A retailer's server in miniature: a real repository, made by the server's own code, behind a real HTTP server."""

import faulthandler
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from skuscan.model import file_ref
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store import DeviceIdentity, Store
from skuscan.store.blobs import BlobFolder
from skuscan.sync import SyncLimits, SyncOptions
from skuscan.sync.downloader import Downloader
from skuscan.sync.token import EnrolToken
from skuscan.sync.transport import Transport
from skuscan.sync.trust import TrustedMetadata
from skuscan_server.keys import KeyFolder, init_keys
from tools.fault_bench.history import identity_at
from tools.fault_bench.site import ASSORTMENT, Clock, Site

DEADLINE_SECONDS = 60.0  # s
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
    """Its addresses are of every kind: from the root, from here, and whole."""
    return replace(
        identity_at(server, site),
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
