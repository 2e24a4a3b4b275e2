"""Publishing an assortment, step by step:

 1. take the builder's lock, so that nobody else builds this assortment;
 2. read the catalogue, finish features, find what changed (`prepare.py`);
 3. make and keep the new records; write them as delta segments, or everything as a new base;
 4. fit the decision if too much changed, choose the probes, and put it all into a manifest;
 5. ask once more for the lock, and sign: from here on devices see the new generation;
 6. note in the database what is live now.

Killed before 5, nothing is visible. Killed between 5 and 6, the database lags behind: the next publication is made from
its older state, holds all that is wanted, and has a higher number.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skuscan.bundle.manifest import MANIFEST_FORMAT, serialize_manifest
from skuscan.bundle.segment import segment_ref
from skuscan.bundle.state import state_digest
from skuscan.model import BACKBONE_FILE, HEAD_FILE, Model
from skuscan.proto.bundle_pb2 import Calibration, Manifest
from skuscan.proto.catalogue_pb2 import RECORD_KIND_REFERENCE, FileRef
from skuscan.store.blobs import BlobFolder
from skuscan_server.builder.base import WORK_FOLDER, annoy_blob, base_segments
from skuscan_server.builder.delta import delta_segments, delta_share
from skuscan_server.builder.fit import Fit, may_keep
from skuscan_server.builder.margins import MarginFitter
from skuscan_server.builder.pairs import PairOptions
from skuscan_server.builder.plan_catalogue import PlanCatalogue
from skuscan_server.builder.prepare import Plan, Preparation, Progress
from skuscan_server.builder.probes import ProbeChooser
from skuscan_server.builder.records import RecordId, StoredRecord, load_records
from skuscan_server.builder.state import note_built, note_live, note_publication
from skuscan_server.catalogue.pictures import FinishedWork
from skuscan_server.db.lock import Lease, builder_lock
from skuscan_server.db.models import Assortment
from skuscan_server.db.session import Database
from skuscan_server.errors import BusyError, PublishError
from skuscan_server.features import FeaturePool
from skuscan_server.models import published_bytes, published_digest
from skuscan_server.repository import TufRepository

BASE = "base"
DELTA = "delta"
BLOBS = "blobs"  # folder of blobs in the published folder


@dataclass(frozen=True)
class PublishOptions:
    """How a publication is made.

    Attributes:
        annoy_from: A new base of so many references has an Annoy file.
        annoy_trees: Of it.
        probes: How many probe pictures.
        false_accept_rate: What the operator accepts.
        compaction_share: A new base when the deltas hold more records than this share of the base.
        compaction_segments: Or when there are more delta segments than this.
        feature_batch: Pictures computed between two commits.
        lease: s, after which a builder that died is taken over.
        pairs: What makes two SKUs a pair.
    """

    annoy_from: int
    annoy_trees: int
    probes: int
    false_accept_rate: float
    compaction_share: float
    compaction_segments: int
    feature_batch: int
    lease: float
    pairs: PairOptions = field(default_factory=PairOptions)


@dataclass(frozen=True)
class Published:
    """What a publication was.

    Attributes:
        assortment: Whose.
        generation: Its number.
        kind: "base" or "delta".
        products: How many it holds.
        references: How many it holds.
        put: Records that are new or other than in the last one.
        withdrawn: Records that are no longer there.
    """

    assortment: str
    generation: int
    kind: str
    products: int
    references: int
    put: int
    withdrawn: int


class Publisher:
    """Publishes assortments, one after the other.

    Args:
        database: The catalogue.
        model_folder: The artefact that features are computed with; its files are published.
        pictures: Reference pictures as uploaded.
        published_folder: What devices download from.
        work: Finished features, of the model's feature space.
        fit: Fits the decision.
        options: How.
        is_in_use: Whether the model is still the one that the server publishes; another process may set another.
    """

    def __init__(
        self,
        database: Database,
        model_folder: Path,
        pictures: BlobFolder,
        published_folder: Path,
        work: FinishedWork,
        fit: Fit,
        options: PublishOptions,
        is_in_use: Callable[[], bool],
    ) -> None:
        self._database = database
        self._model_folder = model_folder
        self._model = Model.open_folder(model_folder)
        self._pictures = pictures
        self._folder = published_folder
        self._published = BlobFolder(published_folder / BLOBS)
        self._work = work
        self._fit = fit
        self._options = options
        self._is_in_use = is_in_use
        self._preparation = Preparation(
            database,
            pictures,
            work,
            options.pairs,
            MarginFitter(database, pictures, self._model),
            self._model_sha256(),
            options.feature_batch,
        )

    def publish(
        self,
        assortment: str,
        repository: TufRepository,
        pool: FeaturePool,
        *,
        force: str = "",
        wait: float = 0.0,
        progress: Progress = lambda *_: None,
    ) -> Published | None:
        """Publish what changed; None when nothing did.

        Args:
            assortment: Its name.
            repository: Where it is signed.
            pool: What computes features.
            force: "delta": even when nothing changed; "base": with a new base; empty: only changes.
            wait: s, to wait for another builder to finish.
            progress: Told of pictures done, of how many: first features, then the fit.

        Raises:
            BusyError: Another builder is at it, or another model was set meanwhile.
            PublishError: A picture cannot be used, or there is nothing to begin with.
            NotFoundError: No such assortment.
        """
        with builder_lock(self._database, assortment, self._options.lease, wait) as lease:
            plan = self._preparation.plan(assortment, pool, progress)
            if not self._is_in_use():  # asked after the catalogue was read: a model set later is a later change of it
                raise BusyError("a publication carries the model in use", "another was set meanwhile", "publish again")
            if not force and plan.change.is_empty and self._is_current(plan, repository):
                self._note_check(plan)
                return None
            if plan.previous.manifest is None and not plan.snapshot.products:
                raise PublishError("a first publication has a product", f"{assortment} is empty", "import a catalogue")
            return self._publish_plan(plan, repository, pool, lease, progress, new_base=force == BASE)

    def _publish_plan(
        self,
        plan: Plan,
        repository: TufRepository,
        pool: FeaturePool,
        lease: Lease,
        progress: Progress,
        *,
        new_base: bool,
    ) -> Published:
        stored = plan.store(self._database)
        kind = BASE if new_base or self._needs_base(plan) else DELTA
        manifest = self._manifest(plan, stored)
        if kind == BASE:
            self._add_base(manifest, plan, stored)
        else:
            self._add_delta(manifest, plan, stored)
        fitted, uncalibrated = self._calibration(plan, stored, progress)
        manifest.calibration.CopyFrom(fitted)
        chooser = ProbeChooser(self._database, self._work, self._published, pool)
        manifest.probes.extend(chooser.choose(plan.snapshot, plan.vectors, plan.displays, self._options.probes))
        self._publish_model()
        lease.check()
        now = time.time()
        manifest.created_unix_ms = int(now * 1000)
        manifest.generation = _next_generation(plan, repository, now)
        data = serialize_manifest(manifest)
        repository.publish(data, published_bytes(self._model))
        with self._database.write() as session:
            note_live(session, manifest.assortment, plan.change, stored)
            note_publication(session, manifest, data, kind, uncalibrated)
            note_built(session.get_one(Assortment, manifest.assortment), plan.snapshot.version)
        return Published(
            manifest.assortment,
            manifest.generation,
            kind,
            manifest.products,
            manifest.references,
            len(plan.change.put),
            len(plan.change.withdrawn),
        )

    def _is_current(self, plan: Plan, repository: TufRepository) -> bool:
        """Whether the settings are those of the last publication, and devices see that one."""
        previous, live = plan.previous.manifest, repository.live_version()
        return (
            previous is not None
            and live is not None
            and live.generation == previous.generation
            and previous.model_sha256 == self._model_sha256()
            and previous.rollout_percent == plan.snapshot.rollout_percent
            and previous.calibration.false_accept_rate == self._options.false_accept_rate
        )

    def _needs_base(self, plan: Plan) -> bool:
        previous = plan.previous.manifest
        return (
            previous is None
            or previous.feature_space != self._work.feature_space
            or len(previous.delta_segments) >= self._options.compaction_segments
            or delta_share(previous, plan.change) > self._options.compaction_share
        )

    def _manifest(self, plan: Plan, stored: Mapping[RecordId, StoredRecord]) -> Manifest:
        previous = plan.previous.manifest
        return Manifest(
            format=MANIFEST_FORMAT,
            assortment=plan.snapshot.assortment,
            previous_generation=previous.generation if previous else 0,
            feature_space=self._work.feature_space,
            model_sha256=self._model_sha256(),
            products=len(plan.snapshot.products),
            references=len(plan.snapshot.references),
            rollout_percent=plan.snapshot.rollout_percent,
            state_digest=state_digest((*identity, stored[identity].sha256) for identity in sorted(stored)),
        )

    def _add_base(self, manifest: Manifest, plan: Plan, stored: Mapping[RecordId, StoredRecord]) -> None:
        manifest.base_segments.extend(base_segments(stored, self._load, self._published))
        rows = plan.vectors.rows
        if len(rows) >= self._options.annoy_from:
            annoy = annoy_blob(rows, self._published, self._folder / WORK_FOLDER, self._options.annoy_trees)
            manifest.annoy.CopyFrom(annoy)

    def _add_delta(self, manifest: Manifest, plan: Plan, stored: Mapping[RecordId, StoredRecord]) -> None:
        previous = plan.previous.manifest
        assert previous is not None  # or a base would be needed
        manifest.base_segments.extend(previous.base_segments)
        if previous.HasField("annoy"):
            manifest.annoy.CopyFrom(previous.annoy)
        manifest.delta_segments.extend(previous.delta_segments)
        for data in delta_segments(plan.change, stored, self._load):
            self._published.put(data)
            manifest.delta_segments.append(segment_ref(data))

    def _load(self, records: Iterable[StoredRecord]) -> Iterator[bytes]:
        return load_records(self._database, (record.row for record in records))

    def _calibration(
        self, plan: Plan, stored: Mapping[RecordId, StoredRecord], progress: Progress
    ) -> tuple[Calibration, int]:
        """The fit, and how many references changed since it was made."""
        previous, rate = plan.previous.manifest, self._options.false_accept_rate
        changed_keys = [
            key for kind, key in (*plan.change.put, *plan.change.withdrawn) if kind == RECORD_KIND_REFERENCE
        ]
        changed = plan.previous.uncalibrated + len(changed_keys)
        if previous is not None and may_keep(previous, self._model_sha256(), rate, changed):
            return previous.calibration, changed
        references = plan.snapshot.references

        def read_picture(row: int) -> bytes:
            reference = references[row]
            return self._pictures.read(FileRef(sha256=reference.picture_sha256, length=reference.picture_length))

        return self._fit(PlanCatalogue(self._database, self._model, plan, stored), read_picture, rate, progress), 0

    def _model_sha256(self) -> bytes:
        return published_digest(self._model)

    def _publish_model(self) -> None:
        """Put the model's files beside the segments; the artefact itself is a signed target."""
        artifact = self._model.artifact
        for name, ref in ((BACKBONE_FILE, artifact.backbone), (HEAD_FILE, artifact.head)):
            if not self._published.is_intact(ref):
                self._published.put((self._model_folder / name).read_bytes())

    def _note_check(self, plan: Plan) -> None:
        with self._database.write() as session:
            note_built(session.get_one(Assortment, plan.snapshot.assortment), plan.snapshot.version)


def _next_generation(plan: Plan, repository: TufRepository, now: float) -> int:
    """Above all that was ever published: a restored backup may not know the last one, but time has passed on."""
    live, previous = repository.live_version(), plan.previous.manifest
    known = max(live.generation if live else 0, previous.generation if previous else 0)
    return max(int(now), known + 1)
