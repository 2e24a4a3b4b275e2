"""The numbers after a restore: above every one that a device may have seen.

A device refuses an older generation, and older metadata. What was published after the backup was made carries numbers
that the backup does not know. So what is restored is signed anew, under a generation and versions above

 * those in the backup,
 * those of published files and of the database that the restore replaces, where they are still there,
 * those that devices have reported,
 * what the operator names: `--min-version`,
 * and the time in seconds, which is what numbers are in any case.

A report may lie: a stolen token must not use up all numbers. One that is more than a day ahead of the clock does not
count, and is named.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tuf.api.metadata import MetaFile, Root, Timestamp

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.manifest import parse_manifest, serialize_manifest
from skuscan.errors import SkuscanError
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.store.durable import read_file
from skuscan.sync.repository_format import MANIFEST_TARGET, MODELS_ROLE, published_target_name
from skuscan_server.builder.state import last_publication, note_publication
from skuscan_server.db.models import Assortment, Device, Publication
from skuscan_server.db.session import Database
from skuscan_server.repository import TufRepository
from skuscan_server.signing import Role

RESTORED = "restore"  # the kind of such a publication
BELIEVED = 86_400  # s ahead of the clock that a device's report may be


@dataclass
class Numbers:
    """What is known to have been used of one assortment.

    Attributes:
        highest: Of generations and versions.
        unbelieved: Reports that are too far ahead of the clock: device and generation.
    """

    highest: int = 0
    unbelieved: dict[str, int] = field(default_factory=dict)

    def add(self, *numbers: int) -> None:
        """Take some more into account."""
        self.highest = max(self.highest, *numbers)


@dataclass(frozen=True)
class Renumbered:
    """An assortment after a restore.

    Attributes:
        assortment: Its name.
        generation: The new one; 0: nothing had been published.
        models_signed: Whether the model was signed anew, too: False when that key is kept elsewhere.
        unbelieved: As in `Numbers`.
    """

    assortment: str
    generation: int
    models_signed: bool
    unbelieved: dict[str, int]


class RestoredRepository(TufRepository):
    """The repository of one assortment out of a backup."""

    _floor = 0  # the highest number that was used

    def numbers(self) -> int:
        """The highest number in its metadata; 0 without. A damaged file, which has none, is passed over."""
        names = [path.name.split(".") for path in self.metadata.glob("*.json")]
        found = [int(name[0]) for name in names if name[0].isdecimal() and name[1] != Root.type]
        with suppress(SkuscanError):
            live = self.live_version()
            found += [live.generation, live.timestamp] if live else []
        return max(found, default=0)

    def renumber(self, floor: int) -> tuple[bytes, bool] | None:
        """Sign what is live anew, above `floor`: the new manifest, and whether the model could be signed, too.

        None when nothing was published. Raises ConfigError when an online key is away.
        """
        self._floor = floor
        with self._locked():
            live = self._live()
            if live is None:
                return None
            digest = live.targets.targets[MANIFEST_TARGET].hashes["sha256"]
            path = self.targets / published_target_name(MANIFEST_TARGET, digest)
            manifest = parse_manifest(read_file(path, LIMITS.manifest_bytes))
            manifest.previous_generation = manifest.generation
            manifest.generation = max(floor + 1, int(self._clock().timestamp()))
            manifest.created_unix_ms = int(self._clock().timestamp() * 1_000)
            data = serialize_manifest(manifest)
            signs_models = self._keys.is_here(MODELS_ROLE)
            models = self._stamped(live.models, MODELS_ROLE) if signs_models else live.models
            self._write_over(live, self._new_targets(data, manifest.generation), models)
            return data, signs_models

    def _stamped(self, signed: Role, role: str) -> Role:
        stamped = super()._stamped(signed, role)
        stamped.version = max(stamped.version, self._floor + 1)
        return stamped

    def _timestamp_over(self, snapshot_meta: MetaFile, last_version: int) -> Timestamp:
        return super()._timestamp_over(snapshot_meta, max(last_version, self._floor))


def numbers_in(database: Database) -> dict[str, Numbers]:
    """What a database knows of the numbers of each assortment."""
    with database.read() as session:
        known = {name: Numbers() for name in session.scalars(select(Assortment.name))}
        newest = select(Publication.assortment, func.max(Publication.generation)).group_by(Publication.assortment)
        for assortment, generation in session.execute(newest):
            known[assortment].add(generation)
        reported = select(Device.assortment, Device.id, Device.generation, Device.rejected_generation)
        for assortment, device, live, rejected in session.execute(reported):
            generation = max(live, rejected)
            if generation > time.time() + BELIEVED:
                known[assortment].unbelieved[device] = generation
            else:
                known[assortment].add(generation)
    return known


def renumber(database: Database, repository: RestoredRepository, assortment: str, numbers: Numbers) -> Renumbered:
    """Publish what a backup holds of an assortment under the next number, and note it in the database."""
    signed = repository.renumber(numbers.highest)
    if signed is None:
        return Renumbered(assortment, 0, True, numbers.unbelieved)
    data, signs_models = signed
    manifest = Manifest.FromString(data)
    with database.write() as session:
        _note(session, assortment, manifest, data)
    return Renumbered(assortment, manifest.generation, signs_models, numbers.unbelieved)


def _note(session: Session, assortment: str, manifest: Manifest, data: bytes) -> None:
    last = last_publication(session, assortment)
    if last is not None and last.generation == manifest.previous_generation:
        note_publication(session, manifest, data, RESTORED, last.uncalibrated)
        return
    row = session.get_one(Assortment, assortment)
    row.signed_at = manifest.created_unix_ms / 1_000
    row.publish_requested = "changes"  # the database lags behind what was published: to be made anew from it
