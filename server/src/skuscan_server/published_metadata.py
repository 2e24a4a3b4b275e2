"""What is published of one assortment, read from its signed files. Whoever only reads needs no key."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp

from skuscan.bundle.manifest import check_assortment
from skuscan.sync.repository_format import GENERATION_FIELD, MANIFEST_TARGET, MODELS_ROLE, RootPins
from skuscan_server.errors import PublishError
from skuscan_server.signing import Role


@dataclass(frozen=True)
class PublishedVersion:
    """What `timestamp.json` stands for.

    Attributes:
        generation: Of the manifest.
        timestamp, snapshot, targets, models: Versions of the metadata.
    """

    generation: int
    timestamp: int
    snapshot: int
    targets: int
    models: int


@dataclass(frozen=True)
class Live:
    """The signed parts that `timestamp.json` leads to."""

    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    models: Targets

    @property
    def version(self) -> PublishedVersion:
        """Its numbers."""
        generation = self.targets.targets[MANIFEST_TARGET].unrecognized_fields["custom"][GENERATION_FIELD]
        return PublishedVersion(
            generation, self.timestamp.version, self.snapshot.version, self.targets.version, self.models.version
        )

    def roles(self) -> dict[str, Signed]:
        """The parts by the role that signed them."""
        return {
            Targets.type: self.targets,
            MODELS_ROLE: self.models,
            Snapshot.type: self.snapshot,
            Timestamp.type: self.timestamp,
        }


class PublishedMetadata:
    """The signed files of one assortment.

    Args:
        published: The folder that is served; see docs/architecture.md.
        assortment: Its name; part of paths and tokens.

    Attributes:
        metadata: The folder of metadata.
        targets: The folder of manifests and models.
    """

    def __init__(self, published: Path, assortment: str) -> None:
        check_assortment(assortment)
        self._folder = Path(published) / "tuf" / assortment
        self.metadata = self._folder / "metadata"
        self.targets = self._folder / "targets"
        self._assortment = assortment

    def live_version(self) -> PublishedVersion | None:
        """What devices get now; None before the first publication."""
        live = self._live()
        return live.version if live else None

    def root_sha256(self) -> str:
        """The digest of 1.root.json in hex, which enrolment tokens carry. Raises PublishError before `create`."""
        return hashlib.sha256(self._read("1.root.json")).hexdigest()

    def _live(self) -> Live | None:
        if not (self.metadata / "timestamp.json").exists():
            return None
        timestamp = self._load(Timestamp, "timestamp.json")
        snapshot = self._load(Snapshot, f"{timestamp.snapshot_meta.version}.snapshot.json")
        targets, models = (
            self._load(Targets, f"{snapshot.meta[f'{role}.json'].version}.{role}.json")
            for role in (Targets.type, MODELS_ROLE)
        )
        return Live(timestamp, snapshot, targets, models)

    def _root(self) -> Root:
        version = 1
        while self._root_path(version + 1).exists():
            version += 1
        return self._load(Root, f"{version}.root.json")

    def _pins(self) -> RootPins:
        return RootPins.read(self._root())

    def _load(self, kind: type[Role], name: str) -> Role:
        try:
            signed = Metadata.from_bytes(self._read(name)).signed
        except RepositoryError as error:
            raise PublishError("published metadata is readable", f"{name}: {error}", "restore it") from error
        if not isinstance(signed, kind):
            raise PublishError(f"{name} is of type {kind.type}", signed.type, "restore it")
        return signed

    def _read(self, name: str) -> bytes:
        path = self.metadata / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise PublishError(
                "the repository is there", f"{path}: {error.strerror}", "create or restore it"
            ) from error

    def _root_path(self, version: int) -> Path:
        return self.metadata / f"{version}.root.json"
