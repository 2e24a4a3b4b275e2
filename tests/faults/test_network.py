"""A thousand faults of the line, between a real repository and real stores.

Each meets a device of its own: one that has the generation before, or one that has none. After the fault the device
answers as before; when faults end, it reaches what is published.
"""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from skuscan.errors import SkuscanError
from skuscan.store import Store
from skuscan.store.durable import TEMPORARY_PREFIX, hash_file
from skuscan.sync import SyncLimits, SyncOptions, sync_once
from skuscan_server.keys import init_keys
from tools.fault_bench.history import identity_at
from tools.fault_bench.http import Request, Server
from tools.fault_bench.line import PLACES, LineFault, cut_body, draw_fault
from tools.fault_bench.site import Clock, Site

FAULTS = 1_000
CUTS = 200
SKUS = [f"sku-{number:02}" for number in range(12)]
NEW_DEVICES = 0.3  # share of faults that meet a device without a generation
IMPATIENT = SyncLimits(
    connect_seconds=1.0,
    gap_seconds=0.1,
    header_seconds=0.15,
    answer_seconds=0.4,
    file_seconds=0.8,
    minimum_rate=2_000.0,
    rate_window_seconds=0.1,
    attempts=2,
    backoff_seconds=0.005,
    retry_after_seconds=0.02,
    piece_bytes=1_024,
    block_bytes=4_096,
)
PATIENT = SyncLimits(attempts=5, backoff_seconds=0.005, piece_bytes=1_024, block_bytes=4_096)
MOST_REQUESTS = 200  # of one sync, whatever the server answers: 16 files, their attempts and their redirects
LONGEST = 20.0  # s, of one sync on a busy machine; unlimited waiting is what is looked for


@dataclass
class Shop:
    """A server with two generations, and devices at the first one or at none."""

    server: Server
    site: Site
    folder: Path
    devices: int = 0

    def device(self, kind: str) -> Store:
        """A new copy of the store "new" or "first"."""
        self.devices += 1
        path = self.folder / f"device-{self.devices}"
        shutil.copytree(self.folder / kind, path)
        return Store.open(path)

    def sync(self, store: Store, limits: SyncLimits) -> str:
        options = SyncOptions(limits=limits, index_policy="download")
        return sync_once(store, options, lambda generation: None).state


@pytest.fixture(scope="module")
def shop(memory: Path, serve: Callable[[Path], Server], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    site = Site(memory / "published", init_keys(tmp_path_factory.mktemp("keys")), Clock())
    server = serve(site.folder)
    shop, identity = Shop(server, site, memory), identity_at(server, site)
    Store.create(memory / "new", identity)
    site.publish_base(*SKUS, displays=True)
    shop.sync(Store.create(memory / "first", identity), PATIENT)
    site.publish_base(*SKUS[:9], "other-1", "other-2", displays=True)
    return shop


def whole(store: Store) -> int:
    """The generation that answers, read to the last record; 0: none."""
    if store.current() is None:
        return 0
    generation = store.open_generation()
    assert not generation.degraded
    assert generation.state_digest() == generation.manifest.state_digest
    assert len(list(generation.products())) == generation.manifest.products
    return generation.number


def check_leftovers(store: Store, site: Site) -> None:
    """Nothing partial is left but what can be gone on with, and no blob is another one."""
    for path in (store.path / "tmp").rglob("*"):
        if path.is_file() and path.name != "displays-pending":
            assert (path.parent.name, path.suffix) == ("parts", ".part"), f"{path.name} was left"
            named = [file for file in site.folder.rglob(f"*{path.stem}*") if file.is_file()]
            assert path.stat().st_size <= named[0].stat().st_size, f"{path.name} is longer than was signed"
    assert not list(store.path.rglob(f"{TEMPORARY_PREFIX}*"))
    for path in store.blobs.files():
        assert hash_file(path).sha256.hex() == path.name, f"{path.name} has another content"


def check_fault(shop: Shop, fault: LineFault, store: Store) -> bool:
    """One fault; True when the sync failed by it, False when it went on all the same."""
    before, server = whole(store), shop.server
    server.requests.clear()
    server.misbehave(PLACES[fault.place], fault.fault, fault.times)
    began, said = time.monotonic(), ""
    try:
        shop.sync(store, IMPATIENT)
    except SkuscanError as error:
        said = str(error)
    finally:
        server.faults.clear()
    assert "\n" not in said, f"more than one line: {said}"
    assert time.monotonic() - began < LONGEST
    assert len(server.requests) <= MOST_REQUESTS, f"{len(server.requests)} requests"
    reopened = Store.open(store.path)
    assert whole(reopened) in (before, 2)
    assert said or whole(reopened) == 2
    assert reopened.rejected() == {}
    check_leftovers(reopened, shop.site)
    shop.sync(reopened, PATIENT)
    assert whole(reopened) == 2
    assert reopened.open_generation().state_digest() == shop.site.manifest().state_digest
    return bool(said)


@pytest.mark.guarantee("G4")
@pytest.mark.guarantee("G8")
@pytest.mark.guarantee("G9")
@pytest.mark.guarantee("G10")
def test_no_fault_of_the_line_costs_an_answer_or_lasts(shop: Shop, faults) -> None:
    injected, failed = Counter[str](), 0
    bad: list[str] = []
    for seed in range(faults.count(FAULTS)):
        rng = random.Random(seed)
        fault = draw_fault(rng)
        store = shop.device("new" if rng.random() < NEW_DEVICES else "first")
        injected[fault.name] += 1
        try:
            failed += check_fault(shop, fault, store)
        except Exception as error:
            bad.append(f"{seed}: {fault.name} at {fault.place}, {fault.times} times: {type(error).__name__} {error}")
        shutil.rmtree(store.path)
    faults.record("G10", "network faults", faults=sum(injected.values()), failed_syncs=failed, bad=len(bad), **injected)
    assert not bad, "\n".join(bad)


def overlap(requests: list[Request], cut: Request, sent: int) -> int:
    """How many bytes of a file that was cut are asked for once more."""
    later = [request for request in requests[requests.index(cut) + 1 :] if request.path == cut.path]
    return first_byte(cut) + sent - first_byte(later[0])


def first_byte(request: Request) -> int:
    return int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


@pytest.mark.guarantee("G8")
def test_a_download_that_was_cut_anywhere_fetches_at_most_one_block_twice(shop: Shop, faults) -> None:
    cuts, most = faults.count(CUTS), 0
    for seed in range(cuts):
        store, server = shop.device("new"), shop.server
        met: list[tuple[Request, int]] = []
        cut = cut_body(random.Random(seed))

        def remembered(handler, data, cut=cut, met=met) -> None:
            before, request = handler.server.sent, handler.server.requests[-1]
            cut(handler, data)
            met.append((request, handler.server.sent - before))

        server.requests.clear()
        server.misbehave(PLACES["blobs"], remembered, times=1 + seed % 3)
        shop.sync(store, replace(PATIENT, parallel_files=1))
        server.faults.clear()
        assert whole(store) == 2
        most = max(most, *(overlap(server.requests, request, sent) for request, sent in met))
        shutil.rmtree(store.path)
    faults.record("G8", "cut downloads", cuts=cuts, block_bytes=PATIENT.block_bytes, most_fetched_twice=most)
    assert most <= PATIENT.block_bytes
