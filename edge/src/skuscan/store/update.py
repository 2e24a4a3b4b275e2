"""An update of the store: derive a generation, try it, make it live. The caller holds the store's lock.

Preparing changes nothing that is live: the folder is built in `tmp/`, and moved in when it holds exactly what was
signed. Activating runs the probes on probation, then raises `floor`, then replaces CURRENT. A generation that fails by
its own fault is rejected and not tried again; a damaged file or a failing disk rejects nothing.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from skuscan.bundle.manifest import manifest_files, parse_manifest
from skuscan.errors import BundleError, FeatureSpaceError, ModelError, SkuscanError, StoreError
from skuscan.model import Model, parse_artifact
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE
from skuscan.store.budget import derived_bytes
from skuscan.store.build import BUILD_PREFIX, GenerationBuild, IndexBuilder
from skuscan.store.checked_json import write_checked
from skuscan.store.generation import Generation, check_feature_space
from skuscan.store.pointers import Current, GenerationName
from skuscan.store.room import allowance, make_room, reusable
from skuscan.store.trials import CRASHES_ALLOWED

if TYPE_CHECKING:
    from skuscan.store.store import Store

Probe = Callable[[Generation], None]
"""Asks a generation its probes; raises an error when an answer is wrong."""


def prepare(store: "Store", manifest_bytes: bytes, model_bytes: bytes, build_index: IndexBuilder | None) -> int:
    """See `Store.prepare`."""
    manifest = parse_manifest(manifest_bytes)
    if manifest.assortment != store.identity.assortment:
        raise BundleError(f"the device follows {store.identity.assortment}", f"a manifest of {manifest.assortment}")
    current = store.read_current()
    if current and manifest.generation == current.live.number and not current.degraded:
        return manifest.generation
    store.check_offer(manifest.generation)
    try:
        _check_model(store, manifest, model_bytes)
        name = GenerationName(manifest.generation, store.blobs.put(manifest_bytes), store.blobs.put(model_bytes))
        if not _is_prepared(store, name):
            build(store, name, manifest, build_index)
    except (BundleError, FeatureSpaceError, ModelError) as error:
        _reject(store, manifest.generation, error)
        raise
    return manifest.generation


def activate(store: "Store", number: int, probe: Probe) -> None:
    """See `Store.activate`."""
    current = store.read_current()
    if current and current.live.number == number and not current.degraded:
        return
    store.check_offer(number)
    if store.trials.crashes(number) > CRASHES_ALLOWED:
        _reject(store, number, "it ended its process on every trial")
        store.check_offer(number)
    name = _try(store, number, probe)
    write_checked(store.disk, store.path / "floor", {"generation": number})
    store.write_current(Current(name, _before(current, number)))
    store.journal.note("live", number)
    with contextlib.suppress(StoreError):
        store.trials.forget(number)


def build(store: "Store", name: GenerationName, manifest: Manifest, build_index: IndexBuilder | None) -> None:
    """Make or replace a generation's folder. Raises SkuscanError; the folder is then as it was."""
    folder = store.path / "tmp" / f"{BUILD_PREFIX}{name.number}-{secrets.token_hex(4)}"
    old = folder.with_name(f"{folder.name}-old")
    reuse = reusable(store, name.number)
    keep = [name.manifest, name.model, *manifest_files(manifest)]
    make_room(store, derived_bytes(manifest, reuse, build_index is not None), keep, name.number)
    try:
        work = GenerationBuild(store.disk, store.blobs, manifest, folder, allowance(store), reuse, build_index)
        _check_published(Generation.open(folder, work.run(name), store.blobs))
        if store.folder(name.number).exists():
            store.disk.rename(store.folder(name.number), old)
        store.disk.rename(folder, store.folder(name.number))
    finally:
        for leftover in (folder, old):
            with contextlib.suppress(StoreError):
                store.disk.remove_folder(leftover)


def _check_model(store: "Store", manifest: Manifest, model_bytes: bytes) -> None:
    if hashlib.sha256(model_bytes).digest() != manifest.model_sha256:
        raise BundleError("a manifest names its model's SHA-256", "another model", "publish again")
    artifact = parse_artifact(model_bytes)
    needed = [artifact.backbone, artifact.head]
    needed += [ref for ref in manifest_files(manifest) if ref != manifest.annoy.file]
    missing = [ref for ref in needed if not store.blobs.has(ref)]
    if missing:
        raise StoreError("a generation's files are all here", f"{len(missing)} are missing", "run `skuscan sync`")
    for ref in (artifact.backbone, artifact.head):
        store.blobs.check(ref)
    check_feature_space(manifest, Model.open(artifact, store.blobs.path).feature_space)


def _is_prepared(store: "Store", name: GenerationName) -> bool:
    try:
        return store.contents(name.number).name == name and bool(store.open_generation(name.number))
    except SkuscanError:
        return False


def _try(store: "Store", number: int, probe: Probe) -> GenerationName:
    """Run a trial. An error that is the generation's own fault rejects it; damage or want of memory does not."""
    with store.trials.run(number):
        generation = store.open_generation(number)
        try:
            probe(generation)
        except StoreError:
            store.disk.remove_folder(store.folder(number))  # to be built again, not to be found damaged again
            raise
        except MemoryError:
            raise
        except Exception as error:
            _reject(store, number, error)
            raise StoreError(
                "a generation answers its probes before it goes live",
                f"generation {number}: {error}",
                "the previous one goes on answering; the next publication is tried",
            ) from error
    return generation.contents.name


def _reject(store: "Store", number: int, reason: object) -> None:
    store.trials.reject(number, str(reason))
    store.journal.note("rejected", number, str(reason))
    current = store.read_current()
    if number not in [name.number for name in (current.names() if current else [])]:
        store.disk.remove_folder(store.folder(number))


def _before(current: Current | None, number: int) -> GenerationName | None:
    """The generation that comes back when generation `number` is damaged."""
    if current is None:
        return None
    return current.live if current.live.number != number else current.previous


def _check_published(built: Generation) -> None:
    """What was built is what was signed (the state, and how much of it)."""
    manifest = built.manifest
    if built.state_digest() != manifest.state_digest:
        raise BundleError("what goes live equals what was published", "another state digest", "publish again")
    counted = (built.count(RECORD_KIND_PRODUCT), built.count(RECORD_KIND_REFERENCE))
    if counted != (manifest.products, manifest.references):
        raise BundleError(
            f"the catalogue has {manifest.products} products and {manifest.references} references", f"{counted}"
        )
