"""The server's parts, wired together from one configuration. Command line, API and scheduler all begin here."""

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from skuscan.errors import ConfigError
from skuscan.model import Model
from skuscan.store.blobs import BlobFolder
from skuscan.store.durable import DISK
from skuscan_server.access.operators import Role, create_api_key
from skuscan_server.access.rate import RateLimit
from skuscan_server.builder.fit import Fit
from skuscan_server.builder.pairs import PairOptions
from skuscan_server.builder.prepare import Progress
from skuscan_server.builder.publish import BLOBS, Published, Publisher, PublishOptions
from skuscan_server.catalogue.assortments import DEFAULT, create_assortment, find_assortment
from skuscan_server.catalogue.importer import Importer
from skuscan_server.catalogue.pictures import FinishedWork, finish_references
from skuscan_server.catalogue.products import audit, count_changes
from skuscan_server.ceremony import Ceremony
from skuscan_server.config import DAY, ServerConfig
from skuscan_server.db import schema
from skuscan_server.db.models import ApiKey, Assortment
from skuscan_server.db.session import Database
from skuscan_server.features import DECODE_LIMITS, FeaturePool, Recipe
from skuscan_server.key_office import KeyOffice
from skuscan_server.keys import KeyFolder, init_keys
from skuscan_server.metrics import Metrics
from skuscan_server.models import ModelShelf
from skuscan_server.pruning.prune import Pruner
from skuscan_server.quality.nearest import NearOptions
from skuscan_server.quality.neighbours import Neighbours
from skuscan_server.quality.report import QualityReport
from skuscan_server.quality.score import QualityScale, Range
from skuscan_server.repository import TufRepository
from skuscan_server.workers import LimitedExecutor

FIRST_KEY_NAME = "first"
RESTORING_FILE = "RESTORING"  # in the data folder while a restored server is put in its place


@dataclass(frozen=True)
class ModelChange:
    """What taking a model into use came to.

    Attributes:
        name: The model's.
        feature_space: 32 bytes.
        computed: Pictures whose features were computed now; those of earlier runs are not among them.
        changed: Whether another model was in use before.
    """

    name: str
    feature_space: bytes
    computed: int
    changed: bool


class Services:
    """What the server is made of; safe in any thread.

    Args:
        config: Everything that an operator can choose.
        executor: Where features are computed; None: processes of this machine.
    """

    def __init__(self, config: ServerConfig, executor: Executor | None = None) -> None:
        self.config = config
        self.models = ModelShelf(config.data_folder / "models", config.model_folder)
        self._executor = executor
        self._opened: tuple[Path, Model] | None = None
        self.database = Database(config.url)
        self.metrics = Metrics()
        self.pictures = BlobFolder(config.pictures)
        self.published = BlobFolder(config.published / BLOBS)
        self.keys = KeyFolder(config.keys, config.offline_keys_folder)
        self.device_rate = RateLimit(config.device_rate, config.device_burst)
        self.decoders = LimitedExecutor(config.concurrent_decodes, DECODE_LIMITS)  # of uploaded pictures

    @property
    def model(self) -> Model:
        """The model in use; `set_model` may change it at any time, in another process too. Raises ModelError."""
        return self._open(self.models.in_use())

    @property
    def work(self) -> FinishedWork:
        """The features that are finished in the feature space of the model in use."""
        return self._work(self.model)

    @property
    def neighbours(self) -> Neighbours:
        """Which pictures look alike in the feature space of the model in use."""
        return self._neighbours(self.model)

    @contextmanager
    def quality_report(self) -> Iterator[QualityReport]:
        """What can be said of the catalogue's pictures, for a block."""
        scale = QualityScale(similarity=Range(worst=1.0, best=PairOptions().minimum_similarity))
        with self.database.read() as session:
            yield QualityReport(session, self.model.feature_space, scale)

    def check(self) -> None:
        """Raises ConfigError when the server was not set up, or its tables are of another version."""
        self._check_whole()
        schema.check(self.database)

    def set_up(self) -> str:
        """Make folders, tables, keys and the default assortment, or upgrade what is there.

        Returns:
            The first operator's key, which is shown once; empty when there are keys already.
        """
        self._check_whole()
        for folder in (self.config.data_folder, self.config.pictures, self.config.published):
            DISK.make_folder(folder.absolute())
        schema.upgrade(self.database)
        if not any(self.config.keys.rglob("*.pem")):
            init_keys(self.config.keys, self.config.offline_keys_folder)
        with self.database.write() as session:
            if session.get(Assortment, DEFAULT) is None:
                create_assortment(session, DEFAULT, everything=True)
            has_key = session.scalars(select(ApiKey).limit(1)).first() is not None
            key = "" if has_key else create_api_key(session, FIRST_KEY_NAME, Role.ADMIN)
        self._create_repository(DEFAULT)
        return key

    def create_assortment(self, name: str, actor: str) -> None:
        """A new, empty assortment with a repository of its own. Raises BundleError, ConflictError."""
        with self.database.write() as session:
            create_assortment(session, name, everything=False)
            audit(session, actor, "assortment create", name)
            self._create_repository(name)

    def repository(self, assortment: str) -> TufRepository:
        """The signed repository of an assortment."""
        return TufRepository(self.config.published, assortment, self.keys)

    def pruner(self) -> Pruner:
        """What removes files and rows that nothing published needs."""
        config = self.config
        return Pruner(self.database, config.published, config.keep_days * DAY, config.lease)

    def key_office(self) -> KeyOffice:
        """What changes keys, in every assortment."""
        with self.database.read() as session:
            names = session.scalars(select(Assortment.name).order_by(Assortment.name)).all()
        return KeyOffice(self.keys, {name: Ceremony(self.config.published, name, self.keys) for name in names})

    def pool(self, model_folder: Path | None = None) -> FeaturePool:
        """Workers for features of a model, the one in use if none is given; a context manager."""
        recipe = Recipe(str((model_folder or self.models.in_use()).absolute()), self.config.display_side)
        return FeaturePool(recipe, self.config.workers, self._executor)

    def importer(self, pool: FeaturePool) -> Importer:
        """What brings import plans into the catalogue, with the features of the pool's model."""
        model = self._open(Path(pool.recipe.model_folder))
        return Importer(
            self.database,
            self.pictures,
            self._work(model),
            pool,
            self._neighbours(model),
            max_picture_bytes=self.config.max_picture_bytes,
            batch=self.config.feature_batch,
        )

    def publish(
        self, assortment: str, *, force: str = "", wait: float = 0.0, progress: Progress = lambda *_: None
    ) -> Published | None:
        """Publish what changed in an assortment, with the model in use, see `Publisher.publish`."""
        from skuscan_server.calibration import calibrate  # scikit-learn takes a second to import

        folder = self.models.in_use()
        publisher = self.publisher(folder, calibrate)
        with self.database.read() as session:
            find_assortment(session, assortment)
        started = time.monotonic()
        with self.pool(folder) as pool:
            published = publisher.publish(
                assortment, self.repository(assortment), pool, force=force, wait=wait, progress=progress
            )
        if published is not None:
            self.metrics.time_publication(published.kind, time.monotonic() - started)
        self._neighbours(self._open(folder)).refresh()  # pictures that came over the API were measured just now
        return published

    def publisher(self, model_folder: Path, fit: Fit) -> Publisher:
        """What publishes with a model, as long as it is the one in use, and with the decision that `fit` makes."""
        config = self.config
        return Publisher(
            self.database,
            model_folder,
            self.pictures,
            config.published,
            self._work(self._open(model_folder)),
            fit,
            PublishOptions(
                annoy_from=config.annoy_from,
                annoy_trees=config.annoy_trees,
                probes=config.probes,
                false_accept_rate=config.false_accept_rate,
                compaction_share=config.compaction_share,
                compaction_segments=config.compaction_segments,
                feature_batch=config.feature_batch,
                lease=config.lease,
            ),
            lambda: self.models.in_use() == model_folder,
        )

    def set_model(self, source: Path, actor: str, progress: Progress = lambda *_: None) -> ModelChange:
        """Take another model into use: every assortment is published with it next.

        The features of all references are computed first, and the model before stays in use until they are finished;
        killed before that, the next run goes on where it was.

        Args:
            source: An artefact's folder; a copy is kept.
            actor: Who does it, for the audit log.
            progress: Told of pictures done, of how many.

        Raises:
            ModelError: It is no artefact, or does not run here.
            CatalogueError: A reference picture cannot be used.
        """
        folder = self.models.add(source)
        model = self._open(folder)
        with self.pool(folder) as pool:
            computed = finish_references(
                self.database, self.pictures, self._work(model), pool, self.config.feature_batch, progress
            )
        changed = self.models.in_use() != folder
        self.models.use(folder)
        with self.database.write() as session:
            count_changes(session, 1)  # after the model: who publishes what is counted here sees the new one
            audit(session, actor, "model set", f"{model.artifact.name} {folder.name}")
        return ModelChange(model.artifact.name, model.feature_space, computed, changed)

    def _check_whole(self) -> None:
        if (self.config.data_folder / RESTORING_FILE).exists():
            raise ConfigError(
                "a restore runs to its end",
                f"one into {self.config.data_folder} was stopped",
                "run it again: skuscan-server restore FILE --replace",
            )

    def _open(self, folder: Path) -> Model:
        """A model's folder; the last one that was opened is kept, since folders never change."""
        known = self._opened
        if known is None or known[0] != folder:
            known = self._opened = (folder, Model.open_folder(folder))
        return known[1]

    def _work(self, model: Model) -> FinishedWork:
        return FinishedWork(self.database, self.published, model.feature_space, self.config.display_side)

    def _neighbours(self, model: Model) -> Neighbours:
        near = NearOptions(PairOptions().minimum_similarity)
        return Neighbours(self.database, model.feature_space, near, self.config.lease)

    def _create_repository(self, assortment: str) -> None:
        """Sign the first root, unless a run that was killed before its commit has done so."""
        repository = self.repository(assortment)
        if not (repository.metadata / "1.root.json").exists():
            repository.create(like=None if assortment == DEFAULT else self.repository(DEFAULT))
