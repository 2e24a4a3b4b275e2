"""Keep a device in step with its server.

One sync, under the store's lock:

1. Trust: what is published now, verified (`trust.py`). The live generation again: it is mended where it is damaged
   (`healing.py`), and that is all.
2. The targets `manifest` and `model` are fetched. A device outside the rollout's share waits.
3. Room is made within the disk budget, else the update is refused. The plan's files are fetched into blobs; what is
   here already is not.
4. The store prepares the generation and compares its state with what was signed. A blob that turns out damaged is
   fetched again, once.
5. The store puts it on trial with the probes, and makes it live.
6. Display pictures, which recognition does not need; then what nobody uses any more is removed.
7. The server is told. That it cannot be told is no failure.

Until step 5 ends, and whenever a step fails, the previous generation answers.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from skuscan.annoy_file import annoy_installed
from skuscan.bundle.manifest import parse_manifest
from skuscan.errors import BundleError, FeatureSpaceError, ModelError, SkuscanError, StoreError, SyncError, TrustError
from skuscan.model import parse_artifact
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store import Generation, Store
from skuscan.store.budget import OverBudgetError
from skuscan.store.housekeeping import DISPLAYS_PENDING, Swept
from skuscan.store.journal import MAX_TEXT
from skuscan.store.room import BUDGET
from skuscan.store.store import METADATA_FOLDER
from skuscan.sync.clock import note_skew, time_floor
from skuscan.sync.downloader import Download, Downloader, Progress
from skuscan.sync.healing import Healer
from skuscan.sync.index_build import child_builder
from skuscan.sync.metadata import WORKING_COPY_PREFIX
from skuscan.sync.offline import bundle_source
from skuscan.sync.options import SyncOptions
from skuscan.sync.plan import IndexRules, SyncPlan, plan_displays, plan_sync, takes_part
from skuscan.sync.probes import check_probes
from skuscan.sync.report import report
from skuscan.sync.repository_format import MANIFEST_TARGET, MODEL_TARGET, published_target_name
from skuscan.sync.source import Source, server_source
from skuscan.sync.trust import TrustedMetadata, TrustedTargets

REFUSED = "refused"  # the journal's event of an update not signed as it must be or too large, or of a failed bundle

State = Literal["unchanged", "activated", "rejected"]
Stage = Literal["metadata", "records", "display"]
Probe = Callable[[Generation], None]
log = logging.getLogger(__name__)


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class SyncResult:
    """What one sync came to.

    Attributes:
        state: "activated": a new generation is live; "rejected": it failed or does not fit into the disk budget, and
            the one before stays; "unchanged".
        generation: The one that answers; 0: none.
        bytes_metadata: Received for trust: TUF metadata, manifest and model description.
        bytes_records: Received before activation: segments, index, probes, network.
        bytes_display: Received after it: display pictures.
        seconds: All in all.
        reason: Why it was rejected, or waits; empty otherwise.
    """

    state: State
    generation: int
    bytes_metadata: int
    bytes_records: int
    bytes_display: int
    seconds: float
    reason: str = ""


def sync_once(
    store: Store,
    options: SyncOptions,
    probe: Probe = check_probes,
    progress: Progress = _silent,
    stop: threading.Event | None = None,
) -> SyncResult:
    """Bring a device to what is published now.

    Args:
        store: The device's.
        options: How to reach the server, and what it may cost.
        probe: Asks a generation on trial its probes; raises when an answer is wrong.
        progress: Told the bytes done and in all of each stage's downloads.
        stop: Ends a sync early when set, with NetworkError.

    Raises:
        NetworkError: The server is down, slow, or answered with an error.
        TrustError: What came was not signed as it must be.
        StoreError: The disk failed, or another process is syncing.
    """
    return Sync(store, options, probe, progress, server_source(store.identity, options, stop)).run()


def import_bundle(
    store: Store, path: Path, options: SyncOptions, probe: Probe = check_probes, progress: Progress = _silent
) -> SyncResult:
    """Bring a device to what an exported bundle holds, by the same steps and checks, without a network.

    Args:
        store: The device's.
        path: A folder or a tar, as `skuscan-server bundle export` made it.
        options: What an import may cost.
        probe: As in `sync_once`.
        progress: As in `sync_once`.

    Raises:
        SyncError: The bundle is none, is cut, or lacks a file.
        TrustError: What it holds is not signed as it must be, or is older than what was confirmed.
        StoreError: The disk failed, or another process is syncing.
    """
    try:
        source = bundle_source(path, store.identity.assortment, options.limits)
    except SyncError as error:
        with suppress(StoreError), store.lock:
            store.journal.note(REFUSED, 0, str(error))
        raise
    return Sync(store, options, probe, progress, source).run()


def heal(store: Store, options: SyncOptions) -> Swept:
    """Read every file of a store and repair what is damaged, see `Healer.heal`."""
    return Sync(store, options, check_probes, _silent, server_source(store.identity, options, None)).heal()


class Sync:
    """One sync. Its stages hand on what they learnt."""

    def __init__(self, store: Store, options: SyncOptions, probe: Probe, progress: Progress, source: Source) -> None:
        self._store = store
        self._options = options
        self._probe = probe
        self._progress = progress
        self._source = source
        self._transport = source.transport
        self._offered = 0  # the generation that was signed; 0: none was trusted yet
        self._target_names: dict[bytes, str] = {}
        self._bytes: dict[Stage, int] = {"metadata": 0, "records": 0, "display": 0}
        self._scratch = store.path / "tmp"
        self._parts = self._scratch / source.parts
        self._pending_displays = store.path / DISPLAYS_PENDING
        self._downloader = Downloader(source.transport, store.blobs, self._parts)
        self._healer = Healer(store, self._fetch_again, self._rules())
        identity = store.identity
        self._trust = TrustedMetadata(
            store.path / METADATA_FOLDER,
            self._scratch,
            identity.assortment,
            bytes.fromhex(identity.root_sha256),
            source.metadata_url,
            source.transport,
            store.disk,
        )

    def run(self, always_report: bool = False) -> SyncResult:
        """See `sync_once`."""
        started = time.monotonic()
        with self._store.lock:
            if self._options.disk_budget is not None:
                self._store.set_disk_budget(self._options.disk_budget)
            for left_by_a_kill in self._scratch.glob(f"{WORKING_COPY_PREFIX}*"):
                self._store.disk.remove_folder(left_by_a_kill)
            try:
                state, reason = self._update()
                self._fetch_displays()
            except SkuscanError as error:
                self._note_clock()
                self._note_refusal(error)
                raise
            finally:
                if self._source.offline:  # the next bundle may be another one
                    with suppress(StoreError):
                        self._store.disk.remove_folder(self._parts)
            self._note_clock()
            if state == "activated":
                self._clean_up()
        generation = self._store.current() or 0
        if not self._source.offline and (state != "unchanged" or always_report):
            report(self._store, self._transport, self._offered if state == "rejected" else 0, generation, reason)
        received = self._bytes
        return SyncResult(
            state,
            generation,
            received["metadata"],
            received["records"],
            received["display"],
            time.monotonic() - started,
            reason,
        )

    def report_refusal(self, error: TrustError) -> None:
        """Tell the server why nothing is taken from it: what was refused, or a clock that is wrong."""
        report(self._store, self._transport, self._offered, self._store.current() or 0, str(error))

    def heal(self) -> Swept:
        """See `Healer.heal`."""
        return self._healer.heal()

    def _fetch_again(self, lost: list[FileRef]) -> None:
        current = self._store.read_current()
        for name in current.names() if current else []:
            self._remember_targets(name.manifest, name.model)
        with self._counted("records"):
            self._fetch(lost)

    def _update(self) -> tuple[State, str]:
        with self._counted("metadata"):
            trusted = self._trust.refresh(self._store.floor())
            self._offered = trusted.generation
        if self._is_live(trusted):
            self._healer.mend()
            if self._is_live(trusted):
                return "unchanged", ""  # else the generation before answers: this one is made live again
        if reason := self._store.rejected().get(trusted.generation):
            return self._unchanged(f"generation {trusted.generation} was rejected before: {reason}")
        with self._counted("metadata"):
            self._remember_targets(trusted.manifest, trusted.model)
            self._fetch([ref for ref in (trusted.manifest, trusted.model) if not self._store.blobs.is_intact(ref)])
        manifest_bytes = self._store.blobs.read(trusted.manifest)
        model_bytes = self._store.blobs.read(trusted.model)
        manifest = _checked_manifest(manifest_bytes, trusted)
        if not self._takes_part(manifest):
            return self._unchanged(f"generation {manifest.generation} waits for its share of the rollout")
        self._store.disk.write_file(self._pending_displays, b"")
        try:
            self._make_live(manifest, manifest_bytes, model_bytes)
        except OverBudgetError as error:
            return ("rejected", str(error)) if self._note_refusal(error) else self._unchanged(str(error))
        except (BundleError, FeatureSpaceError, ModelError, StoreError) as error:
            if manifest.generation in self._store.rejected():
                return "rejected", str(error)
            raise
        return "activated", ""

    def _unchanged(self, reason: str) -> tuple[State, str]:
        self._healer.mend()
        return "unchanged", reason

    def _is_live(self, trusted: TrustedTargets) -> bool:
        current = self._store.read_current()
        if current is None or current.degraded or current.live.number != trusted.generation:
            return False
        if (current.live.manifest, current.live.model) != (trusted.manifest, trusted.model):
            raise TrustError("a generation's number stands for one manifest", f"another one of {trusted.generation}")
        return True

    def _takes_part(self, manifest: Manifest) -> bool:
        """A device that has nothing yet takes what there is; so does one that somebody brought a bundle to."""
        chosen = self._source.offline or self._store.current() is None
        return chosen or takes_part(self._store.identity.device_id, manifest.generation, manifest.rollout_percent)

    def _make_live(self, manifest: Manifest, manifest_bytes: bytes, model_bytes: bytes) -> None:
        """Fetch, prepare, activate. When a blob is damaged that was thought to be here, once more with all checked."""
        model = parse_artifact(model_bytes)
        try:
            self._attempt(plan_sync(manifest, model, self._store.blobs.has, self._rules()), manifest_bytes, model_bytes)
        except OverBudgetError:
            raise
        except StoreError:
            repair = plan_sync(manifest, model, self._store.blobs.is_intact, self._rules())
            if manifest.generation in self._store.rejected() or not repair.files:
                raise
            self._attempt(repair, manifest_bytes, model_bytes)

    def _attempt(self, plan: SyncPlan, manifest_bytes: bytes, model_bytes: bytes) -> None:
        manifest = parse_manifest(manifest_bytes)
        needed = plan.total_bytes - self._downloader.keep_only(plan.files)
        self._store.make_room(manifest, parse_artifact(model_bytes), needed, plan.index == "build")
        with self._counted("records"):
            self._fetch(plan.files)
        build = child_builder(manifest.annoy) if plan.index == "build" else None
        number = self._store.prepare(manifest_bytes, model_bytes, build)
        self._store.activate(number, self._probe)

    def _rules(self) -> IndexRules:
        return IndexRules(self._options.index_policy, annoy_installed(), self._options.limits.index_build_items)

    def _fetch_displays(self) -> None:
        """What shows, but does not recognise: it may come later."""
        if not self._pending_displays.exists() or self._store.current() is None:
            return
        try:
            with self._counted("display"):
                self._fetch(self._displays_that_fit())
            self._store.disk.remove(self._pending_displays)
        except SyncError as error:
            log.warning("display pictures are fetched at the next sync: %s", error)

    def _displays_that_fit(self) -> list[FileRef]:
        live = self._store.open_generation()
        wanted, room = plan_displays(live.displays(), self._store.blobs.has), self._store.room_for_displays(live)
        reached = accumulate(file.length for file in wanted)
        fitting = [file for file, end in zip(wanted, reached, strict=True) if end <= room]
        if len(fitting) < len(wanted):
            left_out = f"{len(wanted) - len(fitting)} display pictures do not fit into the disk budget"
            self._store.journal.note(BUDGET, live.number, left_out)
        return fitting

    def _clean_up(self) -> None:
        if not self._pending_displays.exists():
            self._store.disk.remove_folder(self._parts)
        self._store.collect_garbage()

    def _remember_targets(self, manifest: FileRef, model: FileRef) -> None:
        self._target_names |= {manifest.sha256: MANIFEST_TARGET, model.sha256: MODEL_TARGET}

    def _fetch(self, files: Iterable[FileRef]) -> None:
        self._downloader.fetch([Download(file, self._url(file)) for file in files], self._progress)

    def _url(self, file: FileRef) -> str:
        name = file.sha256.hex()
        if target := self._target_names.get(file.sha256):
            return f"{self._source.targets_url}/{published_target_name(target, name)}"
        return f"{self._source.blobs_url}/{name[:2]}/{name}"

    @contextmanager
    def _counted(self, stage: Stage) -> Iterator[None]:
        before = self._transport.received
        try:
            yield
        finally:
            self._bytes[stage] += self._transport.received - before

    def _note_clock(self) -> None:
        floor = time_floor(self._store.path / METADATA_FOLDER)
        note_skew(self._store.journal, self._offered, self._transport.clock_skew, floor)

    def _note_refusal(self, error: SkuscanError) -> bool:
        """A server that is down is no news; what is refused, and a bundle that fails, is: once in a row."""
        if not (self._source.offline or isinstance(error, (TrustError, OverBudgetError))):
            return False
        reason = f"{self._source.name}: {error}"[:MAX_TEXT]
        last = [event for event in self._store.journal.last(2) if event["event"] != BUDGET][-1:]
        is_news = not last or (last[0]["event"], last[0]["reason"]) != (REFUSED, reason)
        if is_news:
            self._store.journal.note(REFUSED, self._offered, reason)
        return is_news


def _checked_manifest(data: bytes, trusted: TrustedTargets) -> Manifest:
    manifest = parse_manifest(data)
    if manifest.generation != trusted.generation:
        raise TrustError(
            "a manifest has the generation that is signed beside it", f"{manifest.generation}, {trusted.generation}"
        )
    return manifest
