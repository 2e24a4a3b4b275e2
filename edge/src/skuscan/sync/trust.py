"""What a device may believe: the TUF client workflow (specification 5), with the gaps of its library closed.

A refresh runs in this order:

1. The pinned root: 1.root.json, whose SHA-256 came with the enrolment token. It is the bootstrap of every refresh, so
   a damaged local copy is fetched again and cannot brick the device.
2. A working copy of the metadata folder (`metadata.py`): when a later step fails, nothing that was fetched is kept.
3. python-tuf's refresh: newer roots, timestamp, snapshot, targets, and the delegated role `models`.
4. What plain TUF does not check: the root is this assortment's, `models` has the keys that the root names, `model`
   comes from that role alone, and the generation is not below the floor. The floor holds when the local timestamp and
   snapshot were lost, with which python-tuf would accept an older version.
5. Expiry by the time floor, for a clock that was reset. python-tuf has judged by the clock.
6. The files that changed move into place.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Root, Snapshot, TargetFile, Targets, Timestamp

from skuscan.bundle.limits import LIMITS
from skuscan.errors import StoreError, TrustError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.checked_json import write_checked
from skuscan.store.durable import DISK, Disk, read_file
from skuscan.sync.clock import TIME_FLOOR_FILE, time_floor
from skuscan.sync.metadata import ROOT_HISTORY, UPDATES_STOP, MetadataFolder, Session, target_ref
from skuscan.sync.repository_format import (
    GENERATION_FIELD,
    MANIFEST_TARGET,
    MODEL_TARGET,
    MODELS_ROLE,
    SIGNED_AT_FIELD,
    RootPins,
)
from skuscan.sync.transport import Transport

_FIRST_ROOT = ROOT_HISTORY / "1.root.json"


@dataclass(frozen=True)
class TrustedTargets:
    """What the repository says now, verified.

    Attributes:
        manifest: The file of the target `manifest`.
        model: The file of the target `model`.
        generation: Of the manifest, as signed beside it.
        version: Of targets.json.
    """

    manifest: FileRef
    model: FileRef
    generation: int
    version: int


class TrustedMetadata:
    """The device's copy of one repository's metadata. For one thread: the store's writer lock is around it.

    Args:
        folder: Where it is kept.
        scratch: A folder for working copies; what a kill leaves there may be removed.
        assortment: Whose repository it is.
        root_sha256: The digest of 1.root.json, 32 bytes.
        metadata_url: The folder of the repository's metadata.
        transport: What fetches.
        disk: What writes.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Path,
        assortment: str,
        root_sha256: bytes,
        metadata_url: str,
        transport: Transport,
        disk: Disk = DISK,
    ) -> None:
        self._metadata = MetadataFolder(folder, scratch, metadata_url, transport, disk)
        self._folder = folder
        self._assortment = assortment
        self._root_sha256 = root_sha256
        self._metadata_url = metadata_url
        self._transport = transport
        self._disk = disk

    def refresh(self, floor: int = 0) -> TrustedTargets:
        """Ask the server what is published now.

        Args:
            floor: The lowest generation that may be offered.

        Raises:
            NetworkError: The server is down, slow, or has published nothing yet.
            TrustError: What came is expired, another repository's, rolled back, or not signed as it must be.
            StoreError: The disk failed.
        """
        return self._transport.retrying(lambda: self._refresh(floor))

    def _refresh(self, floor: int) -> TrustedTargets:
        with self._metadata.session(self._pinned_root()) as session:
            session.updater.refresh()
            session.updater.get_targetinfo(MODEL_TARGET)  # fetches and verifies the delegated role
            view = _Verified(session)
            self._check_pins(view)
            targets = _targets(view)
            _check_floor(targets.generation, floor)
            self._check_time(view)
            session.keep()
            return targets

    def _pinned_root(self) -> bytes:
        with suppress(StoreError):  # a copy that cannot be read is fetched again, too
            data = read_file(self._folder / _FIRST_ROOT, self._transport.limits.root_bytes)
            if hashlib.sha256(data).digest() == self._root_sha256:
                return data
        return fetch_pinned_root(self._transport, self._metadata_url, self._root_sha256)

    def _check_pins(self, view: "_Verified") -> None:
        try:
            pins = RootPins.read(view.root)
        except ValueError as error:
            raise TrustError("a root names its assortment and the keys of models", str(error)) from error
        if pins.assortment != self._assortment:
            raise TrustError(f"the root is that of the assortment {self._assortment}", pins.assortment)
        if not pins.allow(view.targets.delegations):
            raise TrustError("targets.json delegates as the root says", "another delegation")

    def _check_time(self, view: "_Verified") -> None:
        """G13: a clock that was set back must not bring expired metadata back to life."""
        signed_at = view.timestamp.unrecognized_fields.get(SIGNED_AT_FIELD)
        seen = time_floor(self._folder)
        floor = max(seen, signed_at if isinstance(signed_at, int) else 0)
        for signed in (view.root, view.timestamp, view.snapshot, view.targets, view.models):
            if signed.expires.timestamp() <= floor:
                raise TrustError(
                    "signatures are in date",
                    f"a {signed.type} that expired {signed.expires:%Y-%m-%d}, before a time that was seen signed",
                    UPDATES_STOP,
                )
        if floor > seen:
            self._disk.make_folder(self._folder)
            write_checked(self._disk, self._folder / TIME_FLOOR_FILE, {"unix_s": floor})


def fetch_pinned_root(transport: Transport, metadata_url: str, root_sha256: bytes) -> bytes:
    """Fetch 1.root.json and compare it with the digest that came with the token.

    Raises:
        NetworkError: It does not come.
        TrustError: It is another one.
    """
    data = transport.get(f"{metadata_url.rstrip('/')}/{_FIRST_ROOT.name}", transport.limits.root_bytes)
    received = hashlib.sha256(data)
    if received.digest() != root_sha256:
        raise TrustError(
            "the server's root has the SHA-256 of the enrolment token",
            received.hexdigest(),
            "this is another server, or somebody between; enrol with a token of this server",
        )
    return data


class _Verified:
    """The metadata that python-tuf has just verified and written to a working copy."""

    def __init__(self, session: Session) -> None:
        self.root = session.role(Root, Root.type)
        self.timestamp = session.role(Timestamp, Timestamp.type)
        self.snapshot = session.role(Snapshot, Snapshot.type)
        self.targets = session.role(Targets, Targets.type)
        self.models = session.role(Targets, MODELS_ROLE)


def _targets(view: _Verified) -> TrustedTargets:
    manifest = _one_target(view.targets, MANIFEST_TARGET)
    custom = manifest.custom
    generation = custom.get(GENERATION_FIELD) if isinstance(custom, dict) else None
    if not isinstance(generation, int) or generation < 1:
        raise TrustError("the target manifest carries its generation", repr(generation))
    return TrustedTargets(
        manifest=_file_ref(manifest, LIMITS.manifest_bytes),
        model=_file_ref(_one_target(view.models, MODEL_TARGET), LIMITS.model_artifact_bytes),
        generation=generation,
        version=view.targets.version,
    )


def _one_target(role: Targets, name: str) -> TargetFile:
    """The only target of a role: targets.json must not name a model beside the manifest."""
    if set(role.targets) != {name}:
        raise TrustError(f"this role signs the target {name} and nothing else", ", ".join(sorted(role.targets)))
    return role.targets[name]


def _file_ref(target: TargetFile, max_bytes: int) -> FileRef:
    if target.length > max_bytes:
        raise TrustError(f"the target {target.path} has at most {max_bytes} bytes", f"{target.length}")
    return target_ref(target)


def _check_floor(generation: int, floor: int) -> None:
    if generation < floor:
        raise TrustError(
            f"an update is of generation {floor} or later",
            f"generation {generation}",
            "a rollback; nothing was changed",
        )
