"""What keeps a store clean and honest: removing what nobody uses, finding damage, saying how it is."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skuscan.bundle.manifest import manifest_files, parse_manifest
from skuscan.errors import SkuscanError
from skuscan.model import parse_artifact
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PAIR, RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE, FileRef
from skuscan.store.build import BUILD_PREFIX
from skuscan.store.checked_json import write_checked
from skuscan.store.durable import TEMPORARY_PREFIX, is_intact
from skuscan.store.generation import Generation
from skuscan.store.pointers import GenerationName

if TYPE_CHECKING:
    from skuscan.store.store import Store

SWEPT_FILE = "swept"  # when the last sweep began
DISPLAYS_PENDING = "tmp/displays-pending"  # there: display pictures are still to be fetched
JOURNAL_LINES = 20  # in a status


@dataclass(frozen=True)
class StoreStatus:
    """How a store is.

    Attributes:
        device_id: Who it is.
        assortment: What it follows.
        generation: The one that answers; None: none yet.
        floor: The highest confirmed one.
        created_unix_ms: When the generation was published; 0: none yet.
        age_s: Seconds since then, by this machine's clock.
        products, references, pairs: Live records.
        index: "local", "published", or "none" (exact search).
        degraded: Why something lesser answers than was published; empty: it does not.
        rejected: Generations that are not tried again, and why.
        bytes_on_disk: Bytes per folder of the store; a file with two names counts once.
        disk_budget: Bytes that they may come to.
        journal: The last events, oldest first.
    """

    device_id: str
    assortment: str
    generation: int | None
    floor: int
    created_unix_ms: int
    age_s: float
    products: int
    references: int
    pairs: int
    index: str
    degraded: str
    rejected: dict[int, str]
    bytes_on_disk: dict[str, int]
    disk_budget: int
    journal: list[dict[str, Any]]


@dataclass(frozen=True)
class Swept:
    """What a sweep came to.

    Attributes:
        lost: Blobs that are not here and must be fetched again; damaged ones were removed. A search index is not among
            them: where it comes from is the operator's choice.
        done: What was done about damage, in words; empty: every file was whole.
    """

    lost: list[FileRef]
    done: list[str]


def status(store: "Store") -> StoreStatus:
    """See `Store.status`."""
    generation: Generation | None = None
    degraded = ""
    try:
        if store.current() is not None:
            generation = store.open_generation()
            degraded = generation.degraded
    except SkuscanError as error:
        degraded = str(error)
    created = generation.manifest.created_unix_ms if generation else 0
    return StoreStatus(
        device_id=store.identity.device_id,
        assortment=store.identity.assortment,
        generation=generation.number if generation else None,
        floor=store.floor(),
        created_unix_ms=created,
        age_s=max(0.0, time.time() - created / 1000) if generation else 0.0,
        products=generation.count(RECORD_KIND_PRODUCT) if generation else 0,
        references=generation.count(RECORD_KIND_REFERENCE) if generation else 0,
        pairs=generation.count(RECORD_KIND_PAIR) if generation else 0,
        index=generation.index_origin if generation else "none",
        degraded=degraded,
        rejected=store.rejected(),
        bytes_on_disk=bytes_on_disk(store.path),
        disk_budget=store.disk_budget(),
        journal=store.journal.last(JOURNAL_LINES),
    )


def bytes_on_disk(path: Path) -> dict[str, int]:
    """Bytes per first folder (files at the top: "other"), a file with two names counted once."""
    sizes: dict[str, int] = {}
    seen: set[tuple[int, int]] = set()
    for file in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            stat = file.lstat()
            if not file.is_file() or (stat.st_dev, stat.st_ino) in seen:
                continue
            seen.add((stat.st_dev, stat.st_ino))
            parts = file.relative_to(path).parts
            name = parts[0] if len(parts) > 1 else "other"
            sizes[name] = sizes.get(name, 0) + stat.st_size
    return sizes


def collect_garbage(store: "Store", keep: Iterable[FileRef]) -> int:
    """See `Store.collect_garbage`. When a generation that must stay cannot be opened, nothing is removed."""
    current = store.read_current()
    if current is None:
        return 0
    wanted = {store.blobs.path(ref) for ref in keep}
    try:
        for name in current.names():
            wanted.update(store.blobs.path(ref) for ref in store.open_generation(name.number).files())
    except SkuscanError as error:
        store.journal.note("kept", current.live.number, f"nothing is removed while a generation is damaged: {error}")
        return 0
    before = sum(bytes_on_disk(store.path).values())
    for blob in list(store.blobs.files()):
        if blob not in wanted:
            store.disk.remove(blob)
    numbers = {str(name.number) for name in current.names()}
    for folder in (store.path / "generations").glob("[0-9]*"):
        if folder.name not in numbers and int(folder.name) < current.live.number:
            store.disk.remove_folder(folder)
    # The lock is held: no build is under way, and no file is being written.
    for folder in (store.path / "tmp").glob(f"{BUILD_PREFIX}*"):
        store.disk.remove_folder(folder)
    for leftover in store.path.rglob(f"{TEMPORARY_PREFIX}*"):
        store.disk.remove(leftover)
    return before - sum(bytes_on_disk(store.path).values())


def lost(store: "Store") -> list[FileRef]:
    """See `Store.lost`."""
    current = store.read_current()
    names = current.names() if current else []
    needed = {ref.sha256: ref for name in names for ref in _signed_files(store, name)}
    return [ref for ref in needed.values() if not store.blobs.has(ref)]


def sweep(store: "Store") -> Swept:
    """See `Store.sweep`."""
    with store.lock:
        store.keep_identity()
        write_checked(store.disk, store.path / SWEPT_FILE, {"unix_s": time.time()})
    current = store.read_current()
    names = current.names() if current else []
    needed = {ref.sha256: ref for name in names for ref in _needed_files(store, name)}
    blobs = {sha256 for sha256, ref in needed.items() if not store.blobs.is_intact(ref)}
    folders = [name for name in names if not _folder_is_intact(store, name)]
    if not blobs and not folders:
        return Swept([], [])
    with store.lock:
        return _repair(store, blobs, folders)


def _repair(store: "Store", blobs: set[bytes], folders: list[GenerationName]) -> Swept:
    """What looked damaged is looked at again: it was perhaps not, but cleaned away after an update."""
    current = store.read_current()
    names = current.names() if current else []
    lost: dict[bytes, FileRef] = {}
    events = []
    for name in names:
        for ref in _needed_files(store, name):
            if ref.sha256 in blobs - lost.keys() and not store.blobs.is_intact(ref):
                store.blobs.remove(ref)
                store.journal.note("damaged", name.number, str(store.blobs.path(ref)))
                events.append(f"a file of generation {name.number} was missing or damaged")
                if ref.sha256 != _index_sha256(store, name):
                    lost[ref.sha256] = ref
        if name in folders and not _folder_is_intact(store, name):
            with contextlib.suppress(SkuscanError):
                store.repair(name, "the sweep found damage")
                events.append(f"generation {name.number} was made again")
    if lost.keys() - {ref.sha256 for name in names for ref in _signed_files(store, name)}:
        store.disk.write_file(store.path / DISPLAYS_PENDING, b"")  # the next sync knows, whoever swept
    return Swept(list(lost.values()), events)


def _needed_files(store: "Store", name: GenerationName) -> Iterator[FileRef]:
    """The blobs that must be whole; one that was never fetched (an index, a display picture) may be absent."""
    try:
        generation = store.open_generation(name.number)
        optional = {generation.manifest.annoy.file.sha256}
        optional.update(display.sha256 for display in generation.displays())
        files: Iterable[FileRef] = list(generation.files())
    except SkuscanError:
        optional = set()
        files = _signed_files(store, name)
    return (ref for ref in files if ref.sha256 not in optional or store.blobs.path(ref).exists())


def _index_sha256(store: "Store", name: GenerationName) -> bytes:
    try:
        return parse_manifest(store.blobs.read(name.manifest)).annoy.file.sha256
    except SkuscanError:
        return b""


def _signed_files(store: "Store", name: GenerationName) -> list[FileRef]:
    """What the signed files name and recognition needs, as far as they can be read themselves."""
    files = [name.manifest, name.model]
    with contextlib.suppress(SkuscanError):
        manifest = parse_manifest(store.blobs.read(name.manifest))
        files += [ref for ref in manifest_files(manifest) if ref != manifest.annoy.file]
    with contextlib.suppress(SkuscanError):
        model = parse_artifact(store.blobs.read(name.model))
        files += [model.backbone, model.head]
    return files


def _folder_is_intact(store: "Store", name: GenerationName) -> bool:
    try:
        generation = store.open_generation(name.number)
        return all(is_intact(generation.folder / path, ref) for path, ref in generation.contents.files.items())
    except SkuscanError:
        return False
