"""What is not well with a device, and what to do about it.

Each check answers with a `Finding`: fine, a warning (scans go on, something is lesser than it could be) or a failure
(scans or updates do not work). Damage is repaired on the way: from what is on the disk, else from the server.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skuscan.annoy_file import annoy_installed
from skuscan.embedding import Embedder
from skuscan.errors import NetworkError, SkuscanError
from skuscan.layered_index import LayeredIndex
from skuscan.runtime import RuntimeOptions
from skuscan.store import Generation, Store
from skuscan.store.housekeeping import bytes_on_disk
from skuscan.store.store import METADATA_FOLDER
from skuscan.sync.agent import heal
from skuscan.sync.clock import seconds_behind, time_floor
from skuscan.sync.options import SyncOptions
from skuscan.sync.probes import MINIMUM_COSINE, probe_cosine
from skuscan.sync.transport import Transport, absolute_url

FREE_DISK_BYTES = 200_000_000  # bytes; under this an update may not fit
STALE_CATALOGUE_S = 14 * 86_400  # s; an older catalogue is worth a look
HEALTH_PATH = "healthz"


@dataclass(frozen=True)
class Finding:
    """One check's answer.

    Attributes:
        check: Its name.
        state: "ok", "warning" or "failure".
        text: What was found, one line.
        advice: What to do; empty when it is fine.
    """

    check: str
    state: str
    text: str
    advice: str = ""


def examine(path: Path, runtime: RuntimeOptions, sync: SyncOptions) -> Iterator[Finding]:
    """Check a device's store, model, index, clock, disk and server, one finding at a time."""
    try:
        store = Store.open(path)
    except SkuscanError as error:
        yield Finding("store", "failure", f"{error.rule}: {error.received}", error.advice)
        return
    yield Finding("store", "ok", f"{path}, device {store.identity.device_id}, assortment {store.identity.assortment}")
    yield _guarded("files", lambda: _files(store, sync))
    try:
        generation = store.open_generation()
    except SkuscanError as error:
        yield Finding("generation", "failure", f"{error.rule}: {error.received}", error.advice)
    else:
        yield _generation(store, generation)
        yield _guarded("model", lambda: _model(generation, runtime))
        yield _guarded("index", lambda: _index(generation))
    yield _clock(store)
    yield _disk(path)
    yield _guarded("server", lambda: _server(store, sync))


def _guarded(check: str, run: Callable[[], Finding]) -> Finding:
    try:
        return run()
    except SkuscanError as error:
        return Finding(check, "failure", f"{error.rule}: {error.received}", error.advice)


def _files(store: Store, options: SyncOptions) -> Finding:
    """Every file, read. What is damaged is made again from what is here, else fetched."""
    healed = heal(store, options)
    if healed.lost:
        advice = "run `skuscan sync` when the server is there; until then the previous generation answers"
        return Finding("files", "failure", f"{len(healed.lost)} damaged files are missing", advice)
    if healed.done:
        what = "; ".join(healed.done)
        return Finding("files", "warning", f"damage was repaired: {what}", "if it comes again, replace the medium")
    return Finding("files", "ok", "every file has the SHA-256 that it was stored with")


def _generation(store: Store, generation: Generation) -> Finding:
    if generation.degraded:
        return Finding("generation", "warning", f"{generation.number}: {generation.degraded}", "run `skuscan sync`")
    rejected = store.rejected()
    if rejected:
        number, reason = max(rejected.items())
        advice = "tell the server's operator; the next publication is tried"
        return Finding("generation", "warning", f"{generation.number} answers; {number} was rejected: {reason}", advice)
    age = time.time() - generation.manifest.created_unix_ms / 1000
    text = f"{generation.number}, {age / 86_400:.1f} days old"
    if age > STALE_CATALOGUE_S:
        return Finding("generation", "warning", text, "run `skuscan sync`, and see that the server publishes")
    return Finding("generation", "ok", text)


def _model(generation: Generation, runtime: RuntimeOptions) -> Finding:
    embedder = Embedder.open(generation.model, runtime)
    used = embedder.description
    cosines = [probe_cosine(embedder, generation, probe) for probe in generation.probes]
    text = f"{generation.model.artifact.name} on {used.library} {used.version}, delegate {used.delegate}"
    if cosines and not min(cosines) >= MINIMUM_COSINE:
        return Finding("model", "failure", f"{text}: a probe's cosine is {min(cosines):.3f}", "try another delegate")
    if used.fallbacks:
        return Finding("model", "warning", f"{text} ({'; '.join(used.fallbacks)})", "install what is missing")
    return Finding("model", "ok", text + (f", probes' least cosine {min(cosines):.4f}" if cosines else ""))


def _index(generation: Generation) -> Finding:
    index = LayeredIndex.open(generation)
    if index.name == "annoy" or not generation.manifest.HasField("annoy"):
        return Finding("index", "ok", f"{index.name} ({generation.index_origin})")
    if not annoy_installed():
        return Finding("index", "warning", "exact search: Annoy is not installed", "pip install 'skuscan[annoy]'")
    return Finding("index", "warning", "exact search: the index is damaged or lost", "run `skuscan sync`")


def _clock(store: Store) -> Finding:
    behind = seconds_behind(time_floor(store.path / METADATA_FOLDER))
    if behind:
        text = f"{behind / 3600:.1f} hours behind a time that was seen signed"
        return Finding("clock", "warning", text, "set it")
    return Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))


def _disk(path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    text = f"{free / 1e9:.1f} GB free, {sum(bytes_on_disk(path).values()) / 1e9:.1f} GB taken"
    if free < FREE_DISK_BYTES:
        return Finding("disk", "warning", text, "make room: an update may not fit")
    return Finding("disk", "ok", text)


def _server(store: Store, options: SyncOptions) -> Finding:
    url = store.identity.server_url
    try:
        Transport(options).get_once(absolute_url(url, HEALTH_PATH), options.limits.answer_bytes)
    except NetworkError as error:
        return Finding("server", "warning", f"{url}: {error.received}", "scans go on; updates wait for the server")
    return Finding("server", "ok", url)
