"""Widening and stopping a rollout: what is published is published again under the next number, for another share.

Nothing is built, so that a stop takes a moment. Changes of the catalogue that wait go on waiting. Devices that have
taken the generation before keep it: a stop reaches those that have not.

Each generation draws its devices anew (`skuscan.sync.plan.takes_part`).
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.manifest import parse_manifest, serialize_manifest
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.store.durable import read_file
from skuscan.sync.repository_format import MODEL_TARGET, published_target_name
from skuscan_server.builder.state import last_publication, note_publication
from skuscan_server.catalogue.assortments import find_assortment
from skuscan_server.db.lock import Lease, builder_lock
from skuscan_server.db.models import Assortment, Device
from skuscan_server.db.session import Database
from skuscan_server.errors import BusyError
from skuscan_server.repository import TufRepository

ROLLOUT = "rollout"  # the kind of such a publication


@dataclass(frozen=True)
class RolloutStatus:
    """Where an assortment stands.

    Attributes:
        assortment: Its name.
        percent: The share that its next publication is for.
        generation: The newest that was published; 0: none.
        published_percent: The share that this one is for.
        devices: How many devices reported which generation; 0: none yet. Revoked ones are left out.
        rejected: How many reported that they rejected the newest generation.
    """

    assortment: str
    percent: int
    generation: int
    published_percent: int
    devices: Mapping[int, int]
    rejected: int


def set_rollout(
    database: Database, repository: TufRepository, assortment: str, percent: int, *, lease: float, wait: float
) -> int | None:
    """Publish what is live for another share of devices.

    Args:
        database: The catalogue.
        repository: Where it is signed.
        assortment: Its name.
        percent: 0 to 100; kept for the publications to come, too.
        lease: s, after which a builder that died is taken over.
        wait: s, to wait for another builder to finish.

    Returns:
        The new generation; None when nothing is published yet, or the last publication is for this share already.

    Raises:
        NotFoundError: No such assortment.
        BusyError: Another builder is at it.
    """
    with database.write() as session:
        find_assortment(session, assortment).rollout_percent = percent
    with builder_lock(database, assortment, lease, wait) as held:
        with database.read() as session:
            last = last_publication(session, assortment)
        if last is None:
            return None
        manifest = parse_manifest(last.manifest)
        live = repository.live_version()
        if live is None or live.generation != last.generation:
            raise BusyError(
                "the last publication is the one that devices see",
                f"another one of {assortment}",
                "publish once: skuscan-server publish --force",
            )
        if manifest.rollout_percent == percent:
            return None
        return _publish(database, repository, manifest, last.uncalibrated, percent, held)


def rollout_status(session: Session, assortment: Assortment) -> RolloutStatus:
    """Where an assortment stands, as its devices have reported."""
    last = last_publication(session, assortment.name)
    manifest = Manifest.FromString(last.manifest) if last else Manifest()
    reported = session.execute(
        select(Device.generation, Device.rejected_generation).where(
            Device.assortment == assortment.name, Device.revoked_at.is_(None)
        )
    ).all()
    devices = Counter(generation for generation, _ in reported)
    return RolloutStatus(
        assortment.name,
        assortment.rollout_percent,
        manifest.generation,
        manifest.rollout_percent,
        dict(sorted(devices.items(), reverse=True)),
        sum(manifest.generation == rejected != 0 for _, rejected in reported),
    )


def _publish(
    database: Database, repository: TufRepository, manifest: Manifest, uncalibrated: int, percent: int, held: Lease
) -> int:
    name = published_target_name(MODEL_TARGET, manifest.model_sha256.hex())
    model = read_file(repository.targets / name, LIMITS.model_artifact_bytes)
    held.check()
    now = time.time()
    manifest.previous_generation = manifest.generation
    manifest.generation = max(int(now), manifest.generation + 1)
    manifest.created_unix_ms = int(now * 1_000)
    manifest.rollout_percent = percent
    data = serialize_manifest(manifest)
    repository.publish(data, model)
    with database.write() as session:
        note_publication(session, manifest, data, ROLLOUT, uncalibrated)
    return manifest.generation
