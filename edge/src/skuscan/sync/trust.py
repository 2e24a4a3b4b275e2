"""What a device may believe: the TUF client workflow (specification 5), with the gaps of its library closed.

A refresh runs in this order:

1. The pinned root: 1.root.json, whose SHA-256 came with the enrolment token. It is the bootstrap of every refresh, so
   a damaged local copy is fetched again and cannot brick the device.
2. A working copy of the metadata folder. python-tuf writes without fsync, and keeps what it fetched when a later step
   fails; it does both there.
3. python-tuf's refresh: newer roots, timestamp, snapshot, targets, and the delegated role `models`.
4. What plain TUF does not check: the root is this assortment's, `models` has the keys that the root names, `model`
   comes from that role alone, and the generation is not below the floor. The floor holds when the local timestamp and
   snapshot were lost, with which python-tuf would accept an older version.
5. Expiry by the time floor, for a clock that was reset. python-tuf has judged by the clock.
6. The files that changed move into place, durably. Any mix of old and new ones is a state that step 3 recovers from.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from skuscan.bundle.limits import LIMITS
from skuscan.errors import NetworkError, StoreError, TrustError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.durable import DISK, Disk
from skuscan.sync.options import SyncLimits
from skuscan.sync.repository_format import (
    GENERATION_FIELD,
    MANIFEST_TARGET,
    MODEL_TARGET,
    MODELS_ROLE,
    SIGNED_AT_FIELD,
    RootPins,
)
from skuscan.sync.transport import StatusError, Transport

WORKING_COPY_PREFIX = "tuf-"  # of folders in the scratch folder
TIME_FLOOR_FILE = "time_floor"  # unix time in seconds, as text
_TIME_FLOOR_BYTES = 20  # bytes, more than any time needs
_FIRST_ROOT = Path("root_history") / "1.root.json"
_UPDATES_STOP = "updates stop until the server signs again; scans go on"

_Role = TypeVar("_Role", Root, Timestamp, Snapshot, Targets)


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
        self._folder = folder
        self._scratch = scratch
        self._assortment = assortment
        self._root_sha256 = root_sha256
        self._metadata_url = metadata_url.rstrip("/")
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
        with _plainly(), self._working_copy() as work:
            self._run_updater(work, self._pinned_root())
            view = _Verified(work)
            self._check_pins(view)
            targets = _targets(view)
            _check_floor(targets.generation, floor)
            self._check_time(view)
            self._keep(work)
            return targets

    def _pinned_root(self) -> bytes:
        local = self._folder / _FIRST_ROOT
        if local.exists() and hashlib.sha256(data := local.read_bytes()).digest() == self._root_sha256:
            return data
        return fetch_pinned_root(self._transport, self._metadata_url, self._root_sha256)

    def _run_updater(self, work: Path, root: bytes) -> None:
        fetcher = _Fetcher(self._transport)
        updater = Updater(
            str(work), self._metadata_url, fetcher=fetcher, config=_config(self._transport.limits), bootstrap=root
        )
        updater.refresh()
        updater.get_targetinfo(MODEL_TARGET)  # fetches and verifies the delegated role

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
        floor = max(self._time_floor(), signed_at if isinstance(signed_at, int) else 0)
        for signed in (view.root, view.timestamp, view.snapshot, view.targets, view.models):
            if signed.expires.timestamp() <= floor:
                raise TrustError(
                    "signatures are in date",
                    f"a {signed.type} that expired {signed.expires:%Y-%m-%d}, before a time that was seen signed",
                    _UPDATES_STOP,
                )
        if floor > self._time_floor():
            self._disk.make_folder(self._folder)
            self._disk.write_file(self._folder / TIME_FLOOR_FILE, str(floor).encode())

    def _time_floor(self) -> int:
        """The latest signed time seen, unix seconds; 0 when none is known."""
        try:
            return int((self._folder / TIME_FLOOR_FILE).read_bytes()[:_TIME_FLOOR_BYTES])
        except (OSError, ValueError):
            return 0

    @contextmanager
    def _working_copy(self) -> Iterator[Path]:
        self._disk.make_folder(self._scratch)
        with tempfile.TemporaryDirectory(prefix=WORKING_COPY_PREFIX, dir=self._scratch) as name:
            work = Path(name)
            (work / _FIRST_ROOT.parent).mkdir()
            for source in _metadata_files(self._folder):
                shutil.copyfile(source, work / source.relative_to(self._folder))
            yield work

    def _keep(self, work: Path) -> None:
        for source in _metadata_files(work):
            target = self._folder / source.relative_to(work)
            data = source.read_bytes()
            if not target.exists() or target.read_bytes() != data:
                self._disk.make_folder(target.parent)
                self._disk.write_file(target, data)


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


class _Fetcher(FetcherInterface):
    """python-tuf's view of our transport. Its errors pass through python-tuf as they are."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _fetch(self, url: str) -> Iterator[bytes]:
        limits = self._transport.limits
        most = max(limits.root_bytes, limits.timestamp_bytes, limits.snapshot_bytes, limits.targets_bytes)
        try:
            # One byte more than any role may have: python-tuf names the role's own limit.
            yield self._transport.get_once(url, most + 1)
        except StatusError as error:
            raise exceptions.DownloadHTTPError(str(error), error.status) from error


class _Verified:
    """The metadata that python-tuf has just verified and written to a working copy."""

    def __init__(self, work: Path) -> None:
        self.root = _load(work, Root, Root.type)
        self.timestamp = _load(work, Timestamp, Timestamp.type)
        self.snapshot = _load(work, Snapshot, Snapshot.type)
        self.targets = _load(work, Targets, Targets.type)
        self.models = _load(work, Targets, MODELS_ROLE)


def _load(work: Path, kind: type[_Role], role: str) -> _Role:
    path = work / f"{role}.json"
    if not path.exists():
        raise TrustError(f"the repository has the role {role}", "none", "publish once more on the server")
    signed = Metadata.from_file(str(path)).signed
    if not isinstance(signed, kind):
        raise TrustError(f"{role}.json is of type {kind.type}", signed.type)
    return signed


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
    try:
        return FileRef(sha256=bytes.fromhex(target.hashes["sha256"]), length=target.length)
    except (KeyError, ValueError) as error:
        raise TrustError(f"the target {target.path} is named by its SHA-256", str(error)) from error


def _check_floor(generation: int, floor: int) -> None:
    if generation < floor:
        raise TrustError(
            f"an update is of generation {floor} or later",
            f"generation {generation}",
            "a rollback; nothing was changed",
        )


def _metadata_files(folder: Path) -> Iterator[Path]:
    """Plain files only: root.json is a link that python-tuf makes anew."""
    return (path for path in folder.rglob("*.json") if path.is_file() and not path.is_symlink())


def _config(limits: SyncLimits) -> UpdaterConfig:
    return UpdaterConfig(
        max_root_rotations=limits.root_rotations,
        root_max_length=limits.root_bytes,
        timestamp_max_length=limits.timestamp_bytes,
        snapshot_max_length=limits.snapshot_bytes,
        targets_max_length=limits.targets_bytes,
    )


@contextmanager
def _plainly() -> Iterator[None]:
    """Say python-tuf's errors, and those of its working copy, in our words."""
    try:
        yield
    except exceptions.ExpiredMetadataError as error:
        clock = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
        raise TrustError(
            "signatures are in date", f"{error} (this device's clock says {clock})", _UPDATES_STOP
        ) from error
    except exceptions.DownloadHTTPError as error:
        advice = "nothing is published yet, or the address is wrong" if error.status_code == 404 else ""
        raise NetworkError("the server has the repository's metadata", str(error), advice) from error
    except exceptions.DownloadLengthMismatchError as error:
        raise TrustError("metadata is as long as was signed", str(error)) from error
    except exceptions.DownloadError as error:
        raise NetworkError("metadata can be fetched", str(error)) from error
    except exceptions.RepositoryError as error:
        raise TrustError("metadata is signed by the keys of its role and never rolled back", str(error)) from error
    except OSError as error:
        raise StoreError("the store can hold a working copy of the metadata", str(error), "free some space") from error
