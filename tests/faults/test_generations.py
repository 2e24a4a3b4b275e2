"""What a generation is: one for a scan, the same by any way, and what was signed or nothing."""

import random
import shutil
import threading
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skuscan.bundle.manifest import serialize_manifest
from skuscan.errors import SkuscanError
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.store import Generation, Store
from skuscan_server.keys import init_keys
from tools.fault_bench.device import World, answers, contents, copy_tree
from tools.fault_bench.site import Clock, Site

SEED = 11
CHAINS = 400
ACTIVATIONS = 400
READERS = 3
WRONG = 400
SKUS = [f"sku-{letter}" for letter in "abcdef"]


class Unsigned(Site):
    """Publishes without signing: what a store does comes after that."""

    def publish(self, **fields: object) -> Manifest:
        self.generation += 1
        return self.manifest()

    def deliver(self, store: Store, manifest: Manifest) -> None:
        """Bring a generation to a device, and make it live."""
        shutil.copytree(self.folder / "blobs", store.path / "blobs", dirs_exist_ok=True, copy_function=copy_new)
        store.activate(store.prepare(serialize_manifest(manifest), self.model().SerializeToString()), answers)


def copy_new(source: str, target: str) -> None:
    """Copy a file that is not there yet: readers are at those that are."""
    if not Path(target).exists():
        shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def world(memory: Path) -> World:
    return World.make(memory)


@pytest.fixture(scope="module")
def keys(memory: Path):
    return init_keys(memory / "unsigned-keys")


@pytest.fixture(scope="module")
def places(memory: Path):
    numbers = count()
    return lambda: memory / f"generations-{next(numbers)}"


@pytest.fixture(scope="module")
def new_site(keys, places):
    return lambda: Unsigned(places(), keys, Clock())


@pytest.fixture(scope="module")
def new_store(world, places):
    return lambda: Store.open(copy_tree(world.store("0"), places()))


changes = st.tuples(
    st.lists(st.sampled_from(SKUS), unique=True, max_size=4),  # changed or new
    st.lists(st.sampled_from(SKUS[2:]), unique=True, max_size=2),  # withdrawn
    st.integers(1, 99),  # the new price
    st.booleans(),  # whether all is written anew
    st.booleans(),  # whether a device that is often away sees it
)


def publish(site: Unsigned, change) -> Manifest:
    changed, withdrawn, price, anew, _ = change
    manifest = site.publish_delta(*changed, price=price, withdrawn=tuple(withdrawn))
    return site.publish_base() if anew else manifest


def state(generation: Generation) -> tuple[bytes, dict]:
    return generation.state_digest(), contents(generation)


@pytest.mark.guarantee("G7")
def test_any_chain_of_deltas_ends_in_the_state_of_a_full_sync(new_site, new_store, faults):
    chains = 0

    @settings(max_examples=faults.count(CHAINS), suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(changes, min_size=1, max_size=5))
    def follow(chain) -> None:
        nonlocal chains
        site, always, sometimes, late = new_site(), new_store(), new_store(), new_store()
        manifest = site.publish_base(*SKUS[:4])
        site.deliver(always, manifest)
        for change in chain:
            manifest = publish(site, change)
            site.deliver(always, manifest)
            if change[-1]:
                site.deliver(sometimes, manifest)
        site.deliver(sometimes, manifest)
        site.deliver(late, manifest)
        states = [state(store.open_generation()) for store in (always, sometimes, late)]
        assert states[0][0] == manifest.state_digest
        assert states[0] == states[1] == states[2]
        assert states[0][1] == {(int(kind), key): record for (kind, key), record in site.state.items()}
        for path in (site.folder, always.path, sometimes.path, late.path):
            shutil.rmtree(path)
        chains += 1

    follow()
    faults.record("G7", "random chains against a full sync", chains=chains, different=0)


@pytest.mark.guarantee("G2")
def test_every_scan_across_activations_is_answered_by_one_generation(new_site, new_store, faults):
    """A scan reads several records one after another; each generation has one price everywhere."""
    site, store = new_site(), new_store()
    site.deliver(store, site.publish_base(*SKUS))
    mixed, scans, stop = [], [0] * READERS, threading.Event()

    def scan_again_and_again(reader: int) -> None:
        own = Store.open(store.path)
        generation = own.open_generation()
        while not stop.is_set():
            if not own.is_current(generation):
                generation = own.open_generation()
            prices = {product.attributes["price"].money.minor_units for product in generation.products()}
            rows = [generation.reference(row).sku for row in range(len(generation.base_embeddings))]
            expected = {100} if generation.number == 1 else {generation.number}
            if prices != expected or sorted(rows) != SKUS:
                mixed.append((generation.number, prices))
            scans[reader] += 1

    threads = [threading.Thread(target=scan_again_and_again, args=(reader,)) for reader in range(READERS)]
    for thread in threads:
        thread.start()
    activations = faults.count(ACTIVATIONS)
    try:
        for number in range(2, activations + 2):
            manifest = site.publish_delta(*SKUS, price=number)
            if number % 5 == 0:  # the same state, all in a base
                site.generation -= 1
                manifest = site.publish_base()
            site.deliver(store, manifest)
            store.collect_garbage()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    faults.record("G2", "scans across activations", activations=activations, scans=sum(scans), mixed=len(mixed))
    assert mixed == []
    assert min(scans) > activations / 10


def spoil(manifest: Manifest, rng: random.Random) -> None:
    """A server's fault: what is signed is not what is in the files."""
    kind = rng.randrange(5)
    segments = [*manifest.base_segments]
    if kind == 0:
        del manifest.base_segments[rng.randrange(len(segments))]
    elif kind == 1:
        manifest.base_segments.append(rng.choice(segments))
    elif kind == 2:
        digest = bytearray(manifest.state_digest)
        digest[rng.randrange(len(digest))] ^= 1 << rng.randrange(8)
        manifest.state_digest = bytes(digest)
    elif kind == 3:
        manifest.references += rng.choice((-1, 1))
    else:
        rng.choice(list(manifest.base_segments)).records += 1


@pytest.mark.guarantee("G5")
def test_what_is_not_what_was_signed_never_goes_live(new_site, new_store, faults):
    rng, site, store = random.Random(SEED), new_site(), new_store()
    good = site.publish_base(*SKUS)
    site.deliver(store, good)
    before, live, wrong = state(store.open_generation()), 0, faults.count(WRONG)
    for _ in range(wrong):
        manifest = site.publish_base()
        spoil(manifest, rng)
        try:
            site.deliver(store, manifest)
            live += 1
        except SkuscanError:
            live += state(store.open_generation()) != before
    faults.record("G5", "publications unlike their signature", publications=wrong, live=live)
    assert live == 0
    manifest = site.publish_base()
    site.deliver(store, manifest)
    assert store.current() == manifest.generation
