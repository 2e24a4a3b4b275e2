"""Everything that a repository ever showed: whoever stands between can show any of it again."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tuf.api.metadata import Metadata

from skuscan.store import DeviceIdentity
from skuscan_server.keys import KeyFolder
from tools.fault_bench.http import Server
from tools.fault_bench.site import ASSORTMENT, Clock, Site

SKUS = ("a", "b", "c")
MODEL_EVERY = 3  # publications until there is another model
BASE_EVERY = 4  # publications until there is a new base


@dataclass(frozen=True)
class State:
    """What was published at one time.

    Attributes:
        folder: A copy of everything that was served then, laid out as a bundle is.
        generation: Its number.
        digest: Of its state.
        model: SHA-256 of its model's artefact.
        signed_at: When.
        expires: When the first of its roles expires, unix s.
    """

    folder: Path
    generation: int
    digest: bytes
    model: bytes
    signed_at: datetime
    expires: float


def publish_history(site: Site, clock: Clock, folder: Path, ages: Sequence[timedelta]) -> list[State]:
    """Publish once at each age, the oldest first, and keep a copy of each state in `folder`."""
    now, states = clock.now, []
    for place, age in enumerate(ages):
        clock.now = now - age
        if place % MODEL_EVERY == MODEL_EVERY - 1:
            site.backbone = f"network {place}".encode()
        manifest = site.publish_delta(*SKUS[:2], price=place) if place % BASE_EVERY else site.publish_base(*SKUS)
        copy = folder / f"state-{place}"
        shutil.copytree(site.folder, copy)
        states.append(
            State(copy, site.generation, manifest.state_digest, manifest.model_sha256, clock.now, _expiry(site, copy))
        )
    clock.now = now
    return states


def identity_at(server: Server, site: Site) -> DeviceIdentity:
    """A device that was enrolled at a server of a site."""
    return DeviceIdentity(
        server_url=server.url,
        device_id="kiosk-1",
        device_token="secret",
        assortment=site.assortment,
        root_sha256=site.repository.root_sha256(),
        metadata_url=f"/tuf/{site.assortment}/metadata",
        targets_url=f"/tuf/{site.assortment}/targets",
        blobs_url="/blobs/sha256",
    )


def new_site(folder: Path, keys: KeyFolder, age: timedelta) -> tuple[Site, Clock]:
    """A repository that was created some time ago, and its clock, which is right."""
    clock = Clock()
    now, clock.now = clock.now, clock.now - age
    site = Site(folder, keys, clock)
    clock.now = now
    return site, clock


def _expiry(site: Site, copy: Path) -> float:
    live = site.repository.live_version()
    assert live is not None
    versions = {"snapshot": live.snapshot, "targets": live.targets, "models": live.models}
    names = ["1.root.json", "timestamp.json", *(f"{number}.{role}.json" for role, number in versions.items())]
    files = [copy / "tuf" / ASSORTMENT / "metadata" / name for name in names]
    return min(Metadata.from_file(str(path)).signed.expires.timestamp() for path in files)
