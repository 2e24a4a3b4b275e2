"""A folder of TUF metadata, and python-tuf at work on it through this project's transport and disk. For any repository.

python-tuf writes without fsync, and keeps what it fetched when a later step fails. So a session works on a copy of the
folder, and its owner says when what was verified is kept: then the files that changed move into place, durably. Any mix
of old and new ones is a state that the next session recovers from.

What a skuscan device demands beyond TUF is in `trust.py`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from skuscan.errors import NetworkError, StoreError, TrustError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.durable import DISK, Disk
from skuscan.sync.failures import MissingFileError, StatusError
from skuscan.sync.options import SyncLimits
from skuscan.sync.transport import Transport

WORKING_COPY_PREFIX = "tuf-"  # of folders in the scratch folder
TIMESTAMP_FILE = "timestamp.json"
ROOT_HISTORY = Path("root_history")  # python-tuf's folder of every root since the first, `N.root.json`
UPDATES_STOP = "updates stop until the server signs again; scans go on"

_Role = TypeVar("_Role", Root, Timestamp, Snapshot, Targets)


class MetadataFolder:
    """The local copy of one repository's metadata. For one thread.

    Args:
        path: Where it is kept: `<role>.json`, and all roots in `root_history/`.
        scratch: A folder for working copies; what a kill leaves there may be removed.
        url: The folder of the repository's metadata.
        transport: What fetches.
        disk: What writes.
    """

    def __init__(self, path: Path, scratch: Path, url: str, transport: Transport, disk: Disk = DISK) -> None:
        self.path = path
        self._scratch = scratch
        self._url = url
        self._transport = transport
        self._disk = disk

    @contextmanager
    def session(self, root: bytes) -> Iterator["Session"]:
        """Let python-tuf work on a copy. What is not kept is forgotten at the end.

        Args:
            root: The root that is trusted to begin with.

        Raises:
            NetworkError: The server is down, slow, or has no metadata. Within the block, too.
            TrustError: Metadata is expired, rolled back, or not signed as it must be. Within the block, too.
            StoreError: The disk failed. Within the block, too.
        """
        fetcher = _Fetcher(self._transport, self.path / TIMESTAMP_FILE)
        with _plainly(fetcher), self._working_copy() as work:
            limits = _config(self._transport.limits)
            updater = Updater(str(work), self._url, fetcher=fetcher, config=limits, bootstrap=root)
            yield Session(updater, work, self)

    def keep(self, work: Path) -> None:
        """Move what changed in a working copy into place. Raises StoreError."""
        for source in _metadata_files(work):
            target = self.path / source.relative_to(work)
            data = source.read_bytes()
            if not target.exists() or target.read_bytes() != data:
                self._disk.make_folder(target.parent)
                self._disk.write_file(target, data)

    @contextmanager
    def _working_copy(self) -> Iterator[Path]:
        self._disk.make_folder(self._scratch)
        with tempfile.TemporaryDirectory(prefix=WORKING_COPY_PREFIX, dir=self._scratch) as name:
            work = Path(name)
            (work / ROOT_HISTORY).mkdir()
            for source in _metadata_files(self.path):
                shutil.copyfile(source, work / source.relative_to(self.path))
            yield work


@dataclass(frozen=True)
class Session:
    """python-tuf's updater on a working copy.

    Attributes:
        updater: Refreshes, and looks targets up.
        work: The working copy.
    """

    updater: Updater
    work: Path
    _folder: MetadataFolder

    def role(self, kind: type[_Role], name: str) -> _Role:
        """A role's signed part, which python-tuf has verified. Raises TrustError when there is none."""
        path = self.work / f"{name}.json"
        if not path.exists():
            raise TrustError(f"the repository has the role {name}", "none", "publish once more on the server")
        signed = Metadata.from_file(str(path)).signed
        if not isinstance(signed, kind):
            raise TrustError(f"{name}.json is of type {kind.type}", signed.type)
        return signed

    def keep(self) -> None:
        """Keep what was verified so far."""
        self._folder.keep(self.work)


def target_ref(target: TargetFile) -> FileRef:
    """What a target's file must be. Raises TrustError when it is signed without a SHA-256."""
    try:
        return FileRef(sha256=bytes.fromhex(target.hashes["sha256"]), length=target.length)
    except (KeyError, ValueError) as error:
        raise TrustError(f"the target {target.path} is named by its SHA-256", str(error)) from error


class _Fetcher(FetcherInterface):
    """python-tuf's view of our transport. Its errors pass through python-tuf as they are.

    Attributes:
        file: The name of the file that was asked for last: errors of python-tuf do not all name one.
    """

    def __init__(self, transport: Transport, timestamp: Path) -> None:
        self.file = "the first root"
        self._transport = transport
        self._timestamp = timestamp

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.file = url.rpartition("/")[2]
        limits = self._transport.limits
        most = max(limits.root_bytes, limits.timestamp_bytes, limits.snapshot_bytes, limits.targets_bytes)
        known = b""  # the timestamp changes under one name; a poll without news need not fetch it again
        with suppress(OSError):
            known = self._timestamp.read_bytes() if self.file == TIMESTAMP_FILE else b""
        try:
            # One byte more than any role may have: python-tuf names the role's own limit.
            if known:
                yield self._transport.get_unless_same(url, most + 1, known)
            else:
                yield self._transport.get_once(url, most + 1)
        except StatusError as error:
            raise exceptions.DownloadHTTPError(str(error), error.status) from error


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
def _plainly(fetcher: _Fetcher) -> Iterator[None]:
    """Say python-tuf's errors, and those of its working copy, in our words."""
    try:
        yield
    except exceptions.ExpiredMetadataError as error:
        clock = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
        raise TrustError(
            "signatures are in date", f"{error} (this device's clock says {clock})", UPDATES_STOP
        ) from error
    except exceptions.DownloadHTTPError as error:
        if isinstance(error.__cause__, MissingFileError):
            raise error.__cause__ from None
        advice = "nothing is published yet, or the address is wrong" if error.status_code == 404 else ""
        raise NetworkError("the server has the repository's metadata", str(error), advice) from error
    except exceptions.DownloadLengthMismatchError as error:
        raise TrustError("metadata is as long as was signed", f"{fetcher.file}: {error}") from error
    except exceptions.DownloadError as error:
        raise NetworkError("metadata can be fetched", f"{fetcher.file}: {error}") from error
    except exceptions.RepositoryError as error:
        raise TrustError(
            "metadata is signed by the keys of its role and never rolled back", f"{fetcher.file}: {error}"
        ) from error
    except OSError as error:
        raise StoreError("the store can hold a working copy of the metadata", str(error), "free some space") from error
