"""Which files to fetch: decided from what was signed and what is here. No IO.

A manifest names a generation whole: its base segments, the deltas since, its probes. Everything is named by content, so
the way with the fewest bytes is to fetch what is not here, whatever this device had before: the deltas alone while the
base stands, the base's changed ranges after a compaction, and everything on a new device. A choice is left for the
search index only: its file can be fetched, or built from the records.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from skuscan.bundle.manifest import manifest_files
from skuscan.proto.bundle_pb2 import Manifest, ModelArtifact
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.sync.options import IndexPolicy

IndexSource = Literal["none", "held", "download", "build"]
Present = Callable[[FileRef], bool]

_PERCENT = 100


@dataclass(frozen=True)
class SyncPlan:
    """What a device does to reach a generation.

    Attributes:
        files: To be fetched before activation, the index among them when it is.
        index: Where the search index comes from; "none": exact search.
    """

    files: tuple[FileRef, ...]
    index: IndexSource

    @property
    def total_bytes(self) -> int:
        """Bytes to fetch."""
        return sum(file.length for file in self.files)


@dataclass(frozen=True)
class IndexRules:
    """What decides about the index.

    Attributes:
        policy: The operator's.
        annoy_installed: Without Annoy an index is of no use.
        build_items: `auto` builds an index of up to this many references.
    """

    policy: IndexPolicy
    annoy_installed: bool
    build_items: int


def plan_sync(manifest: Manifest, model: ModelArtifact, present: Present, rules: IndexRules) -> SyncPlan:
    """Plan the way to a generation.

    Args:
        manifest: The target, trusted and checked.
        model: Its model, trusted.
        present: Whether a blob is here.
        rules: About the index.
    """
    index = index_source(manifest, present, rules)
    wanted = [ref for ref in manifest_files(manifest) if ref != manifest.annoy.file or index == "download"]
    return SyncPlan(_missing([*wanted, model.backbone, model.head], present), index)


def index_source(manifest: Manifest, present: Present, rules: IndexRules) -> IndexSource:
    """Where a generation's search index comes from, unless it was built here before."""
    if not manifest.HasField("annoy") or not rules.annoy_installed:
        return "none"
    if present(manifest.annoy.file):
        return "held"
    if rules.policy == "auto":
        return "build" if manifest.annoy.references <= rules.build_items else "download"
    return rules.policy


def plan_displays(displays: Iterable[FileRef], present: Present) -> tuple[FileRef, ...]:
    """The display pictures to fetch after activation, the smallest need of all."""
    return _missing(displays, present)


def takes_part(device_id: str, generation: int, rollout_percent: int) -> bool:
    """Whether a device is among the first `rollout_percent` of a generation; each generation draws anew."""
    digest = hashlib.sha256(f"{device_id}\x1f{generation}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _PERCENT < rollout_percent


def _missing(files: Iterable[FileRef], present: Present) -> tuple[FileRef, ...]:
    """Those that are not here, each once, in order."""
    by_name = {file.sha256: file for file in files}
    return tuple(file for file in by_name.values() if not present(file))
