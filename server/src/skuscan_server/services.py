"""The server's parts, wired together from one configuration. Command line, API and scheduler all begin here."""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import cached_property

from sqlalchemy import select

from skuscan.model import Model
from skuscan.store.blobs import BlobFolder
from skuscan.store.durable import DISK
from skuscan_server.access.operators import Role, create_api_key
from skuscan_server.builder.pairs import PairOptions
from skuscan_server.builder.prepare import Progress
from skuscan_server.builder.publish import BLOBS, Published, Publisher, PublishOptions
from skuscan_server.catalogue.assortments import DEFAULT, create_assortment, find_assortment
from skuscan_server.catalogue.importer import Importer
from skuscan_server.catalogue.pictures import FinishedWork
from skuscan_server.catalogue.products import audit
from skuscan_server.config import ServerConfig
from skuscan_server.db import schema
from skuscan_server.db.models import ApiKey, Assortment
from skuscan_server.db.session import Database
from skuscan_server.features import FeaturePool, Recipe
from skuscan_server.keys import KeyFolder, init_keys
from skuscan_server.quality.nearest import NearOptions
from skuscan_server.quality.neighbours import Neighbours
from skuscan_server.quality.report import QualityReport
from skuscan_server.quality.score import QualityScale, Range
from skuscan_server.repository import TufRepository

FIRST_KEY_NAME = "first"


class Services:
    """What the server is made of. Parts are made on first use; safe in any thread after that.

    Args:
        config: Everything that an operator can choose.
        executor: Where features are computed; None: processes of this machine.
    """

    def __init__(self, config: ServerConfig, executor: Executor | None = None) -> None:
        self.config = config
        self._executor = executor
        self.database = Database(config.url)
        self.pictures = BlobFolder(config.pictures)
        self.published = BlobFolder(config.published / BLOBS)
        self.keys = KeyFolder(config.keys)
        self.decoding = threading.BoundedSemaphore(config.concurrent_decodes)  # pictures being decoded in this process

    @cached_property
    def model(self) -> Model:
        """The model that features are computed with. Raises ModelError."""
        return Model.open_folder(self.config.model_folder)

    @cached_property
    def work(self) -> FinishedWork:
        """The features that are finished in the model's feature space."""
        return FinishedWork(self.database, self.published, self.model.feature_space, self.config.display_side)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Which pictures look alike in the model's feature space."""
        near = NearOptions(PairOptions().minimum_similarity)
        return Neighbours(self.database, self.model.feature_space, near, self.config.lease)

    @contextmanager
    def quality_report(self) -> Iterator[QualityReport]:
        """What can be said of the catalogue's pictures, for a block."""
        scale = QualityScale(similarity=Range(worst=1.0, best=PairOptions().minimum_similarity))
        with self.database.read() as session:
            yield QualityReport(session, self.model.feature_space, scale)

    def check(self) -> None:
        """Raises ConfigError when the server was not set up, or its tables are of another version."""
        schema.check(self.database)

    def set_up(self) -> str:
        """Make folders, tables, keys and the default assortment, or upgrade what is there.

        Returns:
            The first operator's key, which is shown once; empty when there are keys already.
        """
        for folder in (self.config.data_folder, self.config.pictures, self.config.published):
            DISK.make_folder(folder.absolute())
        schema.upgrade(self.database)
        if not any(self.config.keys.rglob("*.pem")):
            init_keys(self.config.keys)
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

    def pool(self) -> FeaturePool:
        """Workers for features; a context manager."""
        recipe = Recipe(str(self.config.model_folder.absolute()), self.config.display_side)
        return FeaturePool(recipe, self.config.workers, self._executor)

    def importer(self, pool: FeaturePool) -> Importer:
        """What brings import plans into the catalogue."""
        return Importer(
            self.database,
            self.pictures,
            self.work,
            pool,
            self.neighbours,
            max_picture_bytes=self.config.max_picture_bytes,
            batch=self.config.feature_batch,
        )

    def publish(
        self, assortment: str, *, force: str = "", wait: float = 0.0, progress: Progress = lambda *_: None
    ) -> Published | None:
        """Publish what changed in an assortment, see `Publisher.publish`."""
        from skuscan_server.calibration import calibrate  # scikit-learn takes a second to import

        config = self.config
        options = PublishOptions(
            annoy_trees=config.annoy_trees,
            probes=config.probes,
            false_accept_rate=config.false_accept_rate,
            compaction_share=config.compaction_share,
            compaction_segments=config.compaction_segments,
            feature_batch=config.feature_batch,
            lease=config.lease,
        )
        publisher = Publisher(
            self.database, config.model_folder, self.pictures, config.published, self.work, calibrate, options
        )
        with self.database.read() as session:
            find_assortment(session, assortment)
        with self.pool() as pool:
            published = publisher.publish(
                assortment, self.repository(assortment), pool, force=force, wait=wait, progress=progress
            )
        self.neighbours.refresh()  # pictures that came over the API were measured just now
        return published

    def _create_repository(self, assortment: str) -> None:
        """Sign the first root, unless a run that was killed before its commit has done so."""
        repository = self.repository(assortment)
        if not (repository.metadata / "1.root.json").exists():
            repository.create()
