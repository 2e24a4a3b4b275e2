"""One TUF repository per assortment: what makes a published generation the retailer's own.

A publication writes, in this order: the two target files, `N.models.json` if the model changed, `N.targets.json`,
`N.snapshot.json`, and at last it replaces `timestamp.json`. Every file but the last is new and never changed again, so
a reader, or a kill, sees the whole old version or the whole new one.

Versions are the time of signing in seconds, or one more than the last: they go on growing after a restore from an old
backup, when devices have seen later versions than the disk has. Roots count 1, 2, 3, as TUF wants.
"""

import copy
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

from google.protobuf.message import DecodeError
from tuf.api.metadata import (
    Delegations,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from skuscan.proto.bundle_pb2 import Manifest
from skuscan.store.durable import DISK
from skuscan.sync.repository_format import (
    GENERATION_FIELD,
    MANIFEST_TARGET,
    MODEL_TARGET,
    MODELS_ROLE,
    ROOT_FIELD,
    SIGNED_AT_FIELD,
    RootPins,
    published_target_name,
)
from skuscan_server.errors import PublishError
from skuscan_server.keys import ROOT_THRESHOLD, KeyFolder
from skuscan_server.published_metadata import Live, PublishedMetadata, PublishedVersion
from skuscan_server.signing import USUAL_LIFETIMES, Lifetimes, Role, delegations_to, sign

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time by which signatures are made."""
    return datetime.now(timezone.utc)


class TufRepository(PublishedMetadata):
    """The repository of one assortment.

    Args:
        published: The folder that is served; see docs/architecture.md.
        assortment: Its name; part of paths and tokens.
        keys: What is signed with.
        clock: Gives the time, in UTC.
        lifetimes: How long signatures are good for.
    """

    def __init__(
        self,
        published: Path,
        assortment: str,
        keys: KeyFolder,
        clock: Clock = utc_now,
        lifetimes: Lifetimes = USUAL_LIFETIMES,
    ) -> None:
        super().__init__(published, assortment)
        self._keys = keys
        self._clock = clock
        self._lifetimes = lifetimes

    def create(self, like: "TufRepository | None" = None) -> None:
        """Sign the first root, with online keys of the assortment's own.

        Args:
            like: Another assortment's repository, whose root and models keys are taken; two root keys must be here.
                None: the retailer's first one; all of them must be here.

        Raises:
            PublishError: The repository is there already.
            ConfigError: A key is away.
        """
        DISK.make_folder(self.metadata)
        DISK.make_folder(self.targets)
        with self._locked():
            if self._root_path(1).exists():
                raise PublishError("a repository is created once", f"{self._root_path(1)} is there already")
            self._write_root(self._first_root(like))

    def publish(self, manifest: bytes, model: bytes) -> PublishedVersion:
        """Make a manifest and a model what devices get. Publishing the live pair again changes nothing.

        Args:
            manifest: A serialised `Manifest`; its generation is higher than the live one's.
            model: A serialised `ModelArtifact`; signed anew only when it changed.

        Raises:
            PublishError: The manifest is another assortment's, or its generation does not grow.
            ConfigError: A key is away.
        """
        generation = self._checked_generation(manifest)
        with self._locked():
            live = self._live()
            same_model = live is not None and _names(live.models, MODEL_TARGET, model)
            if live and same_model and _names(live.targets, MANIFEST_TARGET, manifest):
                return live.version
            if live and generation <= live.version.generation:
                raise PublishError(
                    "each publication's generation is higher than the one before",
                    f"{generation} after {live.version.generation}",
                )
            models = self._renewed_models(live.models) if live and same_model else self._new_models(model)
            return self._write_over(live, self._new_targets(manifest, generation), models)

    def resign(self) -> PublishedVersion:
        """Sign the live publication again, so that it does not expire. To be done daily.

        Raises:
            PublishError: Nothing was published yet.
            ConfigError: A key that is needed now is away.
        """
        with self._locked():
            live = self._live()
            if live is None:
                raise PublishError("only what was published is signed again", f"no publication of {self._assortment}")
            root = self._root()
            if self._is_old(root, Root.type):
                log.warning(
                    "the root of %s expires %s: skuscan-server keys expiry root 365", self._assortment, root.expires
                )
            targets = live.targets
            if self._is_old(targets, Targets.type):
                targets = self._stamped(targets, Targets.type)
            return self._write_over(live, targets, self._renewed_models(live.models))

    def metadata_files(self) -> dict[str, bytes]:
        """Every file of metadata, in one consistent state. Raises StoreError when somebody is signing."""
        with self._locked():
            names = (path.name for path in sorted(self.metadata.glob("*.json")))
            return {name: self._read(name) for name in names}

    def _first_root(self, like: "TufRepository | None") -> Root:
        root = Root(version=1, expires=self._clock() + self._lifetimes.root)
        sibling = like._root() if like else None
        if like and sibling:
            root_keys = [sibling.keys[keyid] for keyid in sibling.roles[Root.type].keyids]
            delegations = like._delegations()
        else:
            root_keys = [signer.public_key for signer in self._keys.first_root_signers()]
            delegations = delegations_to([signer.public_key for signer in self._keys.signers(MODELS_ROLE)])
        for key in root_keys:
            root.add_key(key, Root.type)
        root.roles[Root.type].threshold = ROOT_THRESHOLD
        for role, signer in self._keys.create_online(self._assortment).items():
            root.add_key(signer.public_key, role)
        root.unrecognized_fields[ROOT_FIELD] = RootPins(self._assortment, [delegations.to_dict()]).to_field()
        return root

    def _next_root(self) -> Root:
        """The newest root, ready to be changed and signed as the next one."""
        root = self._root()
        root.version += 1
        root.expires = self._clock() + self._lifetime(Root.type)
        return root

    def _write_root(self, root: Root) -> None:
        DISK.write_file(self._root_path(root.version), self._signed_root(root))

    def _signed_root(self, root: Root) -> bytes:
        """Signed by enough keys of its own, and of the root before (TUF 6.1)."""
        delegators = [root] if root.version == 1 else [self._root(), root]
        return sign(root, Root.type, self._keys.root_signers(), delegators)

    def _checked_generation(self, manifest: bytes) -> int:
        try:
            parsed = Manifest.FromString(manifest)
        except DecodeError as error:
            raise PublishError("what is published is a Manifest message", str(error)) from error
        if parsed.assortment != self._assortment:
            raise PublishError(f"the repository {self._assortment} publishes its own assortment", parsed.assortment)
        if parsed.generation < 1:
            raise PublishError("generations count from 1", str(parsed.generation))
        return parsed.generation

    def _new_targets(self, manifest: bytes, generation: int) -> Targets:
        target = self._write_target(MANIFEST_TARGET, manifest)
        target.unrecognized_fields["custom"] = {GENERATION_FIELD: generation}
        unsigned = Targets(targets={MANIFEST_TARGET: target}, delegations=self._delegations())
        return self._stamped(unsigned, Targets.type)

    def _new_models(self, model: bytes) -> Targets:
        unsigned = Targets(targets={MODEL_TARGET: self._write_target(MODEL_TARGET, model)})
        return self._stamped(unsigned, MODELS_ROLE)

    def _renewed_models(self, models: Targets) -> Targets:
        """The same model, with a new expiry when it is time and the key is here."""
        if not self._is_old(models, MODELS_ROLE):
            return models
        if self._keys.is_here(MODELS_ROLE):
            return self._stamped(models, MODELS_ROLE)
        log.warning("the signature of %s's model expires %s: bring the models key", self._assortment, models.expires)
        return models

    def _write_over(self, live: Live | None, targets: Targets, models: Targets) -> PublishedVersion:
        """Write those of targets and models that are new, then the snapshot and the timestamp over them."""
        snapshot = live.snapshot if live else Snapshot(meta={})
        meta = dict(snapshot.meta)
        if live is None or models is not live.models:
            meta[f"{MODELS_ROLE}.json"] = self._write(models, MODELS_ROLE)
        if live is None or targets is not live.targets:
            meta["targets.json"] = self._write(targets, Targets.type)
        snapshot_meta = live.timestamp.snapshot_meta if live else None
        if snapshot_meta is None or meta != snapshot.meta or self._is_old(snapshot, Snapshot.type):
            snapshot = self._stamped(Snapshot(meta=meta), Snapshot.type)
            snapshot_meta = self._write(snapshot, Snapshot.type)
        timestamp = self._timestamp_over(snapshot_meta, live.timestamp.version if live else 0)
        return Live(timestamp, snapshot, targets, models).version

    def _timestamp_over(self, snapshot_meta: MetaFile, last_version: int) -> Timestamp:
        """Replace timestamp.json: the moment at which the new version is there."""
        now = self._clock()
        seconds = int(now.timestamp())
        timestamp = Timestamp(
            version=max(last_version + 1, seconds),
            expires=now + self._lifetime(Timestamp.type),
            snapshot_meta=snapshot_meta,
            unrecognized_fields={SIGNED_AT_FIELD: seconds},
        )
        DISK.write_file(self.metadata / "timestamp.json", self._signed_bytes(timestamp, Timestamp.type))
        return timestamp

    def _stamped(self, signed: Role, role: str) -> Role:
        """A copy with the next version and a new expiry. Numbers of files that a killed run left are not used again."""
        now = self._clock()
        last = max((int(path.name.split(".")[0]) for path in self.metadata.glob(f"*.{role}.json")), default=0)
        stamped = copy.deepcopy(signed)
        stamped.version = max(last + 1, int(now.timestamp()))
        stamped.expires = now + self._lifetime(role)
        return stamped

    def _write(self, signed: Role, role: str) -> MetaFile:
        """Write `N.<role>.json`; what the role above says of it is returned."""
        data = self._signed_bytes(signed, role)
        DISK.write_file(self.metadata / f"{signed.version}.{role}.json", data)
        return MetaFile.from_data(signed.version, data, ["sha256"])

    def _signed_bytes(self, signed: Role, role: str) -> bytes:
        return sign(signed, role, self._keys.signers(role, self._assortment), self._delegators(role))

    def _delegators(self, role: str) -> list[Root | Targets]:
        """Who says which keys sign as a role; all of them must be content."""
        return [Targets(delegations=self._delegations()) if role == MODELS_ROLE else self._root()]

    def _write_target(self, name: str, data: bytes) -> TargetFile:
        target = TargetFile.from_data(name, data, ["sha256"])
        DISK.write_file(self.targets / published_target_name(name, target.hashes["sha256"]), data)
        return target

    def _delegations(self) -> Delegations:
        """What targets.json holds, as long as the root allows it: the model was signed by those keys."""
        live, pins = self._live(), self._pins()
        held = live.targets.delegations if live else None
        return held if held and pins.allow(held) else pins.newest()

    def _is_old(self, signed: Signed, role: str) -> bool:
        return signed.expires - self._clock() < self._lifetime(role) / 2

    def _lifetime(self, role: str) -> timedelta:
        days, usual = self._pins().days.get(role), asdict(self._lifetimes)[role]
        return timedelta(days=days) if days else usual

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer, of any process: a daily signing may meet a publication. Raises StoreError when there is one."""
        if not self.metadata.is_dir():
            raise PublishError("the repository is there", f"no folder {self.metadata}", "create it first")
        with DISK.lock(self._folder / ".lock"):
            yield


def _names(targets: Targets, name: str, data: bytes) -> bool:
    """True when the metadata names these bytes."""
    return targets.targets[name].hashes["sha256"] == hashlib.sha256(data).hexdigest()
