"""A bundle: what is published of one generation, for devices that do not reach the server.

It holds the newest metadata of one assortment, its manifest and model, and every blob that these name, laid out as
published. A device takes it in by the code of a sync (`skuscan.sync.offline`).

A signature of two days is short for a stick that travels. With a longer one, the bundle has a timestamp and a snapshot
of its own, and the targets if they expire earlier. Their versions are the next ones, so what is live is signed again
above them: a device that took the bundle in goes on with its server. Who holds such a bundle can show it as the newest
to a device that has not seen a newer one, for as long as it is good.
"""

import copy
import hashlib
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tuf.api.metadata import MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from skuscan.bundle.manifest import manifest_files, parse_manifest
from skuscan.bundle.segment import read_segment
from skuscan.errors import ConfigError, StoreError
from skuscan.model import file_ref, parse_artifact
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT, FileRef, Product
from skuscan.store.blobs import BlobFolder
from skuscan.store.durable import DISK, TEMPORARY_PREFIX, read_blocks
from skuscan.sync.repository_format import (
    MANIFEST_TARGET,
    MODEL_TARGET,
    MODELS_ROLE,
    SIGNED_AT_FIELD,
    published_target_name,
)
from skuscan_server.errors import PublishError
from skuscan_server.published_metadata import PublishedVersion
from skuscan_server.repository import TufRepository
from skuscan_server.signing import Role

TAR_SUFFIX = ".tar"
FILE_MODE = 0o644

Progress = Callable[[int, int], None]
"""Called with files done and files in all."""


@dataclass(frozen=True)
class BundleMetadata:
    """The signed part of a bundle.

    Attributes:
        files: Content by name in the metadata folder.
        targets: Names in the targets folder, and what the files are: the manifest's first, then the model's.
        version: What was live when it was made.
        expires: When the first signature in it does.
    """

    files: Mapping[str, bytes]
    targets: tuple[tuple[str, FileRef], tuple[str, FileRef]]
    version: PublishedVersion
    expires: datetime


@dataclass(frozen=True)
class Exported:
    """A bundle that was written.

    Attributes:
        path: Where it is.
        assortment: Whose it is.
        generation: What is in it.
        files: How many.
        bytes: Of all files.
        expires: Until when devices take it.
    """

    path: Path
    assortment: str
    generation: int
    files: int
    bytes: int
    expires: datetime


class BundleRepository(TufRepository):
    """The repository of one assortment, as a bundle takes it."""

    def bundle_metadata(self, valid: timedelta | None = None) -> BundleMetadata:
        """What devices verify a bundle by.

        Args:
            valid: Sign for so long, from now on; None: as published.

        Raises:
            PublishError: Nothing was published yet, or root or model expire earlier than that.
            ConfigError: A key is away.
            StoreError: Somebody else is writing; nothing was changed.
        """
        with self._locked():
            live = self._live()
            if live is None:
                raise PublishError("a bundle holds what was published", f"nothing of {self._assortment}", "publish")
            root, models = self._root(), live.models
            if valid is None:
                files = {
                    f"{signed.version}.{role}.json": self._read(f"{signed.version}.{role}.json")
                    for role, signed in ((Snapshot.type, live.snapshot), (Targets.type, live.targets))
                }
                files["timestamp.json"] = self._read("timestamp.json")
                expiries = [live.timestamp.expires, live.snapshot.expires, live.targets.expires]
            else:
                until = self._clock() + valid
                self._check_lasts(root, Root.type, until)
                self._check_lasts(models, MODELS_ROLE, until)
                files, expiries = self._sign_until(until, live.timestamp, live.snapshot, live.targets), [until]
            names = [
                *(f"{version}.root.json" for version in range(1, root.version + 1)),
                f"{models.version}.models.json",
            ]
            return BundleMetadata(
                files={**{name: self._read(name) for name in names}, **files},
                targets=(_target(live.targets, MANIFEST_TARGET), _target(models, MODEL_TARGET)),
                version=live.version,
                expires=min(root.expires, models.expires, *expiries),
            )

    def _check_lasts(self, signed: Root | Targets, role: str, until: datetime) -> None:
        if signed.expires < until:
            raise PublishError(
                f"a bundle is good for as long as its {role} is signed",
                f"{role} expires {signed.expires:%Y-%m-%d}, before {until:%Y-%m-%d}",
                f"choose fewer days, or sign it again: skuscan-server keys expiry {role}",
            )

    def _sign_until(
        self, until: datetime, timestamp: Timestamp, snapshot: Snapshot, targets: Targets
    ) -> dict[str, bytes]:
        """The bundle's own files; what is live is signed again above their versions, as briefly as ever."""
        files: dict[str, bytes] = {}
        meta, live_meta = dict(snapshot.meta), dict(snapshot.meta)

        def sign(signed: Role, role: str) -> MetaFile:
            signed.expires = until
            data = files[f"{signed.version}.{role}.json"] = self._signed_bytes(signed, role)
            return MetaFile.from_data(signed.version, data, ["sha256"])

        targets_until = self._stamped(targets, Targets.type) if targets.expires < until else None
        if targets_until:
            meta["targets.json"] = sign(targets_until, Targets.type)
        else:
            name = f"{targets.version}.{Targets.type}.json"
            files[name] = self._read(name)
        snapshot_until = self._stamped(Snapshot(meta=meta), Snapshot.type)
        now = int(self._clock().timestamp())
        newest = Timestamp(
            version=max(timestamp.version + 1, now),
            expires=until,
            snapshot_meta=sign(snapshot_until, Snapshot.type),
            unrecognized_fields={SIGNED_AT_FIELD: now},
        )
        files["timestamp.json"] = self._signed_bytes(newest, Timestamp.type)
        if targets_until:
            live_meta["targets.json"] = self._write(self._above(targets_until, Targets.type), Targets.type)
        snapshot_until.meta = live_meta
        snapshot_meta = self._write(self._above(snapshot_until, Snapshot.type), Snapshot.type)
        self._timestamp_over(snapshot_meta, newest.version)
        return files

    def _above(self, signed: Role, role: str) -> Role:
        """A copy with the next version and the usual expiry."""
        above = copy.deepcopy(signed)
        above.version += 1
        above.expires = self._clock() + self._lifetime(role)
        return above


def export_bundle(
    repository: BundleRepository,
    assortment: str,
    blobs: BlobFolder,
    out: Path,
    valid: timedelta | None = None,
    progress: Progress = lambda done, total: None,
) -> Exported:
    """Write a bundle: a tar when `out` ends in `.tar`, else a folder. The same metadata gives the same tar.

    Args:
        repository: Of the assortment.
        assortment: Its name.
        blobs: The published ones.
        out: Where; nothing is there yet.
        valid: As in `BundleRepository.bundle_metadata`.
        progress: Told of each file.

    Raises:
        ConfigError: There is something at `out`, or no folder above it.
        PublishError: As `bundle_metadata` does; a published file is damaged.
        StoreError: A published file is missing, or the disk failed. Nothing is left at `out`.
    """
    if out.exists() or not out.absolute().parent.is_dir():
        raise ConfigError(
            "a bundle gets a new name in a folder that is there",
            f"{out} is there already" if out.exists() else f"no folder {out.absolute().parent}",
            "choose another name",
        )
    metadata = repository.bundle_metadata(valid)
    files = _files(repository, assortment, blobs, metadata)
    _write(out, files, progress)
    return Exported(
        path=out,
        assortment=assortment,
        generation=metadata.version.generation,
        files=len(files),
        bytes=sum(file.ref.length for file in files),
        expires=metadata.expires,
    )


@dataclass(frozen=True)
class _File:
    """One file of a bundle: its name, what it must be, and where its bytes are."""

    name: str
    ref: FileRef
    source: bytes | Path

    def blocks(self) -> Iterator[bytes]:
        """The bytes in blocks. Raises PublishError at the end when they are others, StoreError when they are away."""
        digest, length = hashlib.sha256(), 0
        for block in [self.source] if isinstance(self.source, bytes) else read_blocks(self.source):
            digest.update(block)
            length += len(block)
            yield block
        if (digest.digest(), length) != (self.ref.sha256, self.ref.length):
            raise PublishError("a published file has the SHA-256 that it is named by", self.name, "restore it")


def _files(repository: BundleRepository, assortment: str, blobs: BlobFolder, metadata: BundleMetadata) -> list[_File]:
    """Every file of a bundle, by name."""
    folder = f"tuf/{assortment}"
    files = [_File(f"{folder}/metadata/{name}", file_ref(data), data) for name, data in metadata.files.items()]
    signed = [_File(f"{folder}/targets/{name}", ref, repository.targets / name) for name, ref in metadata.targets]
    manifest_bytes, model_bytes = (b"".join(file.blocks()) for file in signed)
    manifest, model = parse_manifest(manifest_bytes), parse_artifact(model_bytes)
    named = [*manifest_files(manifest), model.backbone, model.head, *_displays(manifest, blobs)]
    refs = {ref.sha256.hex(): ref for ref in named}
    stored = [_File(f"blobs/sha256/{name[:2]}/{name}", ref, blobs.path(ref)) for name, ref in refs.items()]
    return sorted([*files, *signed, *stored], key=lambda file: file.name)


def _displays(manifest: Manifest, blobs: BlobFolder) -> list[FileRef]:
    """The display pictures of the products that are live in a generation."""
    live: dict[str, FileRef | None] = {}
    for ref in (*manifest.base_segments, *manifest.delta_segments):
        if ref.kind == RECORD_KIND_PRODUCT:
            segment = read_segment(blobs.read(ref.file), ref)
            for key, record in segment.records:
                product = Product.FromString(record)
                live[key] = product.display if product.HasField("display") else None
            for key in segment.tombstones:
                live.pop(key, None)
    return [display for display in live.values() if display is not None]


def _target(role: Targets, name: str) -> tuple[str, FileRef]:
    target: TargetFile = role.targets[name]
    digest = target.hashes["sha256"]
    return published_target_name(name, digest), FileRef(sha256=bytes.fromhex(digest), length=target.length)


def _write(out: Path, files: list[_File], progress: Progress) -> None:
    """Write all files: what is at `out` in the end is whole."""
    if out.suffix == TAR_SUFFIX:
        DISK.write_file(out, _tar(files, progress))
        return
    folder = out.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    try:
        for done, file in enumerate(files):
            progress(done, len(files))
            path = folder / file.name
            DISK.make_folder(path.parent.absolute())
            DISK.write_file(path, file.blocks())
        DISK.rename(folder, out)
    except BaseException:
        with suppress(StoreError):
            DISK.remove_folder(folder)
        raise
    progress(len(files), len(files))


def _tar(files: list[_File], progress: Progress) -> Iterator[bytes]:
    """A tar of plain headers only: no owner, no time, nothing but names, lengths and bytes."""
    for done, file in enumerate(files):
        progress(done, len(files))
        header = tarfile.TarInfo(file.name)
        header.size, header.mode = file.ref.length, FILE_MODE
        yield header.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
        yield from file.blocks()
        yield bytes(-file.ref.length % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
    progress(len(files), len(files))
