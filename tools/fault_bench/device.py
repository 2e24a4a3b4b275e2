"""A device's store before each thing that may happen to it, and what must be true of it whatever happened.

Three generations are published: a base, a delta (changed, new and withdrawn products), and another base. Each is kept
as a folder that a device can import, and each store that has taken it in is kept to be copied.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skuscan.bundle.manifest import manifest_files
from skuscan.bundle.records import KINDS
from skuscan.errors import SkuscanError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store import DeviceIdentity, Generation, Store
from skuscan.store.durable import DISK, TEMPORARY_PREFIX, Disk, hash_file
from skuscan.sync import SyncLimits, SyncOptions, import_bundle, sync_once
from skuscan_server.keys import init_keys
from tools.fault_bench.site import ASSORTMENT, Clock, Site

SKUS = tuple(f"sku-{number}" for number in range(8))
OPTIONS = SyncOptions(
    index_policy="download", limits=SyncLimits(attempts=1, parallel_files=1, piece_bytes=1_024, block_bytes=16_384)
)


def answers(generation: Generation) -> None:
    """A trial without a network: every reference is read."""
    for row in range(len(generation.base_embeddings) + len(generation.delta_embeddings)):
        generation.reference(row)


@dataclass(frozen=True)
class World:
    """The published generations, and stores that hold them.

    Attributes:
        folder: Where all of it is.
        server_url: Of a server that serves `published(3)`; no connection is made while the world is made.
    """

    folder: Path
    server_url: str = "http://127.0.0.1:9"

    @classmethod
    def make(cls, folder: Path, server_url: str = "http://127.0.0.1:9", backbone: bytes = b"not a network") -> "World":
        """Publish, and fill the stores."""
        world, clock = cls(folder, server_url), Clock()
        site = Site(folder / "site", init_keys(folder / "keys"), clock, annoy=True, backbone=backbone)
        world._enrol(site)
        site.publish_base(*SKUS, displays=True)
        world._keep(site, "1", clock)
        site.publish_delta(SKUS[0], "sku-new", price=250, withdrawn=SKUS[1:2])
        world._keep(site, "2", clock)
        site.repository.set_days("root", 365)
        site.publish()  # the same records, all metadata new, a new root
        world._keep(site, "3", clock)
        site.publish_base(SKUS[2], "sku-newer")
        world._keep(site, "4", clock)
        return world

    def published(self, name: str) -> Path:
        """What was published when a generation was the newest."""
        return self.folder / "published" / name

    def largest_file(self) -> FileRef:
        """The longest blob that was published last."""
        return hash_file(max(self.published("4").glob("blobs/sha256/*/*"), key=lambda path: path.stat().st_size))

    def store(self, name: str) -> Path:
        """A store whose newest generation is that; "0": none."""
        return self.folder / "stores" / name

    def copy(self, name: str, target: Path) -> Path:
        """A store to spoil; files with two names have two there too."""
        return copy_tree(self.store(name), target)

    def _enrol(self, site: Site) -> None:
        self.store("0").parent.mkdir()
        identity = DeviceIdentity(
            server_url=self.server_url,
            device_id="kiosk-1",
            device_token="secret",
            assortment=ASSORTMENT,
            root_sha256=site.repository.root_sha256(),
            metadata_url=f"/tuf/{ASSORTMENT}/metadata",
            targets_url=f"/tuf/{ASSORTMENT}/targets",
            blobs_url="/blobs/sha256",
        )
        Store.create(self.store("0"), identity)

    def _keep(self, site: Site, name: str, clock: Clock) -> None:
        shutil.copytree(site.folder, self.published(name), ignore=shutil.ignore_patterns(".lock"))
        store = copy_tree(self.store(str(int(name) - 1)), self.store(name))
        take(self, store, name)
        clock.forward(minutes=1)


def copy_tree(source: Path, target: Path) -> Path:
    """Copy a folder; names of one file are names of one file in the copy."""
    copied: dict[int, Path] = {}
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):  # a folder comes before what is in it
        copy = target / path.relative_to(source)
        inode = path.lstat().st_ino
        if path.is_dir():
            copy.mkdir()
        elif inode in copied:
            os.link(copied[inode], copy)
        else:
            copied[inode] = Path(shutil.copyfile(path, copy))
    return target


def take(world: World, store: Path, name: str, disk: Disk = DISK) -> None:
    """Import what was published as a generation."""
    import_bundle(Store.open(store, disk), world.published(name), OPTIONS, answers)


def activate(world: World, store: Path, disk: Disk = DISK) -> None:
    """The store's part of an update alone: generation 4, whose blobs are there."""
    opened = Store.open(store, disk)
    name = Store.open(world.store("4")).contents(4).name
    opened.activate(opened.prepare(opened.blobs.read(name.manifest), opened.blobs.read(name.model)), answers)


def clean(store: Path, disk: Disk = DISK) -> None:
    """Garbage collection."""
    Store.open(store, disk).collect_garbage()


def answer(store: Path, disk: Disk = DISK) -> None:
    """What a recogniser does first: damage that it meets is repaired, or the generation before comes back."""
    Store.open(store, disk).open_generation()


@dataclass(frozen=True)
class Operation:
    """Something that a device does, to be interrupted.

    Attributes:
        name: In words.
        before: Which store it begins with.
        allowed: Generations that may answer after an interruption; None: none yet.
        done: The one that answers when it was done.
        run: Does it: world, store, disk.
        spoil: What is done to the store first.
        degraded: Whether the answer says that something is wrong; None: it may.
    """

    name: str
    before: str
    allowed: tuple[int | None, ...]
    done: int
    run: Callable[[World, Path, Disk], None]
    spoil: Callable[[World, Path], None] = lambda world, store: None
    degraded: bool | None = False

    def prepare(self, world: World, target: Path) -> Path:
        """A store to do it in."""
        store = world.copy(self.before, target)
        self.spoil(world, store)
        return store


def _damage_tables(world: World, store: Path) -> None:
    """The live folder is damaged, those files excepted that the generation before shares; the blobs are whole."""
    for path in store.glob("generations/4/base/*.table"):
        if path.stat().st_nlink == 1:
            path.write_bytes(path.read_bytes()[:-9])


def _damage_all(world: World, store: Path) -> None:
    """Its tables and a blob that they would be made of, and with them what the generation before shares."""
    for path in store.glob("generations/4/base/*.table"):
        path.write_bytes(path.read_bytes()[:-9])
    opened = Store.open(store)
    current = opened.read_current()
    assert current is not None
    opened.blobs.path(current.live.manifest).write_bytes(b"")


def _bring_blobs(world: World, store: Path) -> None:
    shutil.copytree(world.store("4") / "blobs", store / "blobs", dirs_exist_ok=True)


def _litter(world: World, store: Path) -> None:
    """What cleaning up has to do: an old generation, its blobs, an interrupted build, half a file."""
    shutil.copytree(world.store("1") / "blobs", store / "blobs", dirs_exist_ok=True)
    shutil.copytree(world.store("1") / "generations", store / "generations", dirs_exist_ok=True)
    shutil.copytree(world.store("1") / "generations" / "1", store / "tmp" / "build-5-abc")
    (store / "blobs" / f"{TEMPORARY_PREFIX}abc").write_bytes(b"half")


FIRST = Operation(
    "first import",
    "0",
    (None, 1),
    1,
    lambda world, store, disk: take(world, store, "1", disk),
    degraded=None,  # confirmed, but not yet named: that a CURRENT never was is not told from its loss
)
DELTA = Operation("import of a delta", "1", (1, 2), 2, lambda world, store, disk: take(world, store, "2", disk))
METADATA = Operation("new root", "2", (2, 3), 3, lambda world, store, disk: take(world, store, "3", disk))
BASE = Operation("import of a base", "3", (3, 4), 4, lambda world, store, disk: take(world, store, "4", disk))
SYNC = Operation(
    "sync",
    "3",
    (3, 4),
    4,
    lambda world, store, disk: _ignore(sync_once(Store.open(store, disk), OPTIONS, answers)),
)
ACTIVATION = Operation(
    "activation", "3", (3, 4), 4, lambda world, store, disk: activate(world, store, disk), _bring_blobs
)
CLEANING = Operation("garbage collection", "4", (4,), 4, lambda world, store, disk: clean(store, disk), _litter)
REPAIR = Operation("repair", "4", (4,), 4, lambda world, store, disk: answer(store, disk), _damage_tables)
ROLLBACK = Operation(
    "rollback", "4", (3,), 3, lambda world, store, disk: answer(store, disk), _damage_all, degraded=True
)
OFFLINE = (FIRST, DELTA, METADATA, BASE, ACTIVATION, CLEANING, REPAIR, ROLLBACK)


def _ignore(result: object) -> None:
    """An operation has no result."""


def complaints(world: World, store: Path, operation: Operation) -> list[str]:
    """What is wrong with a store after an interruption: it opens, exactly one complete generation answers, which may be
    that one, the floor is not lower, and no file of the live and the previous generation is missing. Empty: nothing.
    """
    before = Store.open(world.store(operation.before))
    try:
        opened = Store.open(store)
        number = opened.current()
        wrong = [] if opened.floor() >= before.floor() else [f"floor {opened.floor()}, was {before.floor()}"]
        if number is None:
            return wrong if None in operation.allowed else [*wrong, "nothing answers"]
        generation = opened.open_generation()
        number = generation.number
        if number not in operation.allowed:
            wrong.append(f"{number} answers")
        if opened.floor() < number:
            wrong.append(f"{number} answers above the floor {opened.floor()}")
        if operation.degraded not in (None, bool(generation.degraded)):
            wrong.append(f"degraded: {generation.degraded!r}")
        return wrong + _incomplete(world, opened, generation)
    except SkuscanError as error:
        return [f"{type(error).__name__}: {error}"]


def finish(world: World, store: Path, operation: Operation) -> list[str]:
    """Do it again to its end, and clean up: what is wrong then. Nothing partial may be left."""
    try:
        operation.run(world, store, DISK)
        clean(store)
        generation = Store.open(store).open_generation()
    except SkuscanError as error:
        return [f"again: {type(error).__name__}: {error}"]
    wrong = [] if generation.number == operation.done else [f"again: {generation.number} answers"]
    return wrong + [f"left over: {path.relative_to(store)}" for path in leftovers(store)]


def leftovers(store: Path) -> list[Path]:
    """Files and folders that something unfinished has left."""
    half = [path for pattern in (f"{TEMPORARY_PREFIX}*", "*.part") for path in store.rglob(pattern)]
    return [*half, *store.glob("tmp/build-*"), *store.glob("tmp/tuf-*")]


def contents(generation: Generation) -> dict[tuple[int, str], bytes]:
    """Every live record as it is read, by kind and key. Raises StoreError when one is damaged."""
    return {(kind, key): table.record(row) for kind in KINDS for table, row, key in generation._live(kind)}


def needed(generation: Generation) -> list[FileRef]:
    """The blobs without which a generation cannot be made again."""
    name, artifact, annoy = generation.contents.name, generation.model.artifact, generation.manifest.annoy.file
    named = [ref for ref in manifest_files(generation.manifest) if ref != annoy]
    return [name.manifest, name.model, artifact.backbone, artifact.head, *named]


def _incomplete(world: World, store: Store, generation: Generation) -> list[str]:
    """What the answering generation or the one before lacks."""
    wrong = []
    if generation.state_digest() != generation.manifest.state_digest:
        wrong.append("another state than was published")
    contents(generation)
    current = store.read_current()
    for name in current.names() if current else []:
        kept = store.open_generation(name.number)
        lacking = [ref for ref in needed(kept) if not store.blobs.is_intact(ref)]
        wrong += [f"generation {name.number} lacks {ref.sha256.hex()}" for ref in lacking]
    return wrong
