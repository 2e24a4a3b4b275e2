"""Which published files are needed: those of what is live, and of what was live until a while ago.

A device that reads the timestamp a moment before a publication fetches the version before it, perhaps over a slow link.
So a version counts until it has been superseded for some time. Roots are kept for ever: devices follow their chain.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tuf.api.metadata import Snapshot, Targets

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.manifest import manifest_files, parse_manifest
from skuscan.model import parse_artifact
from skuscan.store.durable import TEMPORARY_PREFIX, read_file
from skuscan.sync.repository_format import MANIFEST_TARGET, MODEL_TARGET, MODELS_ROLE, published_target_name
from skuscan_server.published_metadata import PublishedMetadata

_REMOVABLE = re.compile(r"[0-9]+\.(?:targets|snapshot|models)\.json")


@dataclass(frozen=True)
class NeededFiles:
    """What an assortment's devices may ask for.

    Attributes:
        metadata: Names in its metadata folder, without roots and `timestamp.json`.
        targets: Names in its targets folder.
        blobs: SHA-256 of blobs, without display pictures.
    """

    metadata: frozenset[str]
    targets: frozenset[str]
    blobs: frozenset[bytes]


class PublishedHistory(PublishedMetadata):
    """The signed files of one assortment, with the versions that it has had."""

    def needed(self, cutoff: float) -> NeededFiles:
        """What is live, or was after `cutoff`, UTC s. Raises PublishError when a file of that is missing or damaged."""
        metadata: set[str] = set()
        targets: dict[str, str] = {}  # name of the file: name of the target
        for name in self._snapshots(cutoff):
            metadata.add(name)
            meta = self._load(Snapshot, name).meta
            for role, target in ((Targets.type, MANIFEST_TARGET), (MODELS_ROLE, MODEL_TARGET)):
                named = f"{meta[f'{role}.json'].version}.{role}.json"
                if named not in metadata:
                    metadata.add(named)
                    signed = self._load(Targets, named).targets[target]
                    targets[published_target_name(target, signed.hashes["sha256"])] = target
        blobs = {digest for name, target in targets.items() for digest in self._blobs(name, target)}
        return NeededFiles(frozenset(metadata), frozenset(targets), frozenset(blobs))

    def removable(self, needed: NeededFiles, cutoff: float) -> Iterator[Path]:
        """Files that are neither needed nor younger than `cutoff`: a writer at work has only young ones."""
        for path in self.metadata.iterdir():
            if _is_left_over(path) or (_REMOVABLE.fullmatch(path.name) and path.name not in needed.metadata):
                yield from _if_old(path, cutoff)
        for path in self.targets.iterdir():
            if path.name not in needed.targets:
                yield from _if_old(path, cutoff)

    def _snapshots(self, cutoff: float) -> list[str]:
        """The live snapshot, and those that another one followed after `cutoff`."""
        live = self._live()
        if live is None:
            return []
        names = sorted((path.name for path in self.metadata.glob("*.snapshot.json")), key=_version)
        recent = [name for name, follower in pairwise(names) if (self.metadata / follower).stat().st_mtime >= cutoff]
        return sorted({f"{live.snapshot.version}.snapshot.json", *recent}, key=_version)

    def _blobs(self, name: str, target: str) -> Iterator[bytes]:
        if target == MANIFEST_TARGET:
            data = read_file(self.targets / name, LIMITS.manifest_bytes)
            yield from (ref.sha256 for ref in manifest_files(parse_manifest(data)))
        else:
            model = parse_artifact(read_file(self.targets / name, LIMITS.model_artifact_bytes))
            yield from (model.backbone.sha256, model.head.sha256)


def _version(name: str) -> int:
    return int(name.split(".")[0])


def _is_left_over(path: Path) -> bool:
    return path.name.startswith(TEMPORARY_PREFIX)


def _if_old(path: Path, cutoff: float) -> Iterator[Path]:
    if path.is_file() and path.stat().st_mtime < cutoff:
        yield path
