"""The fuzzed readers of what a repository publishes: TUF metadata, and a bundle's tar."""

import atexit
import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np

from skuscan.sync.failures import MissingFileError
from skuscan.sync.offline import Bundle, BundleTransport
from skuscan.sync.options import SyncLimits, SyncOptions
from skuscan.sync.transport import Response, Transport
from skuscan.sync.trust import TrustedMetadata
from skuscan_server.bundle_export import BundleRepository, export_bundle
from skuscan_server.keys import init_keys
from tools.fault_bench.fuzz import Reader
from tools.fault_bench.site import ASSORTMENT, Clock, Site

METADATA = "memory:metadata"
MOST_FILE = 1_000_000  # bytes, of what is read from a bundle
LEAVES = 0.3  # how often a branch of a document is replaced, and not one of its values
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "\0",
    "x" * 5_000,
    [],
    {},
    [[]] * 100,
    {"": {"": ""}},
    "1",
)


def scratch() -> Path:
    """A folder that goes with this process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def miniature_site() -> Site:
    """A repository with a base and a delta."""
    folder = scratch()
    site = Site(folder, init_keys(folder / "keys"), Clock())
    site.publish_base("A", "B", "C")
    site.publish_delta("A", price=200, withdrawn=("B",))
    return site


def bundle_reader() -> Reader:
    """Every file of a bundle is read."""
    site = miniature_site()
    repository = BundleRepository(site.folder, ASSORTMENT, site.keys, site.clock)
    tar, mutated = scratch() / "bundle.tar", scratch() / "mutated.tar"
    export_bundle(repository, ASSORTMENT, site.blobs, tar)
    with tarfile.open(tar) as file:
        names = file.getnames()

    def read(data: bytes) -> object:
        mutated.write_bytes(data)
        bundle = Bundle(mutated)
        transport = BundleTransport(bundle, SyncLimits())
        return [transport.get(f"{bundle.url}/{name}", MOST_FILE) for name in names]

    return Reader([tar.read_bytes()], read)


def metadata_reader() -> Reader:
    """A new device meets a repository, one of whose files is mutated; its name stands before its bytes."""
    files = {path.name: path.read_bytes() for path in miniature_site().repository.metadata.iterdir()}
    root = hashlib.sha256(files["1.root.json"]).digest()
    place = scratch()

    def read(data: bytes) -> object:
        name, _, content = data.partition(b"\n")
        transport = MemoryTransport({**files, name.decode("latin-1"): content})
        shutil.rmtree(place / "tuf", ignore_errors=True)
        return TrustedMetadata(place / "tuf", place / "tmp", ASSORTMENT, root, METADATA, transport).refresh()

    def envelop(data: bytes) -> bytes:
        """A whole document again, with another value somewhere in it."""
        rng = np.random.default_rng(list(data))
        name = sorted(files)[int(rng.integers(0, len(files)))]
        document = json.loads(files[name])
        _graft(document, rng)
        return name.encode() + b"\n" + json.dumps(document).encode()

    corpus = [name.encode() + b"\n" + content for name, content in sorted(files.items())]
    return Reader(corpus, read, envelop)


class _Kept:
    """Bytes, read as an answer is."""

    status: int = HTTPStatus.OK

    def __init__(self, data: bytes) -> None:
        self.headers: Mapping[str, str] = {}
        self._file = io.BytesIO(data)

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        return self._file.read1(-1 if amt is None else amt)

    def close(self) -> None:
        self._file.close()


class MemoryTransport(Transport):
    """A server of some files, by the last part of their address."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(SyncOptions(limits=SyncLimits(attempts=1)))
        self._files = files

    @contextmanager
    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Response]:
        name = url.rpartition("/")[2]
        if name not in self._files:
            raise MissingFileError(name, "memory")
        yield _Kept(self._files[name])


def _graft(node: Any, rng: np.random.Generator) -> None:
    """Put something strange in place of one value of a JSON document."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[int(rng.integers(0, len(keys)))]
        below = node[key]
        if not isinstance(below, dict | list) or not below or rng.random() < LEAVES:
            node[key] = STRANGE[int(rng.integers(0, len(STRANGE)))]
            return
        node = below
