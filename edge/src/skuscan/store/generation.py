"""A generation, opened for reading: the device's catalogue.

Its folder holds what is derived from blobs, in two layers of the same form:

    contents.json                                    its name, and the digest of every file below
    base/{product,reference,pair}.table              the merged base segments
    base/embeddings.npy                              (B, 2, 256) int8, row i of reference.table
    base/keypoints.index                             which keypoints share a word, see `skuscan.keypoint_index`
    base/index.annoy                                 only when it was built on this device
    delta/{product,reference,pair}.table, embeddings.npy, keypoints.index   what the delta segments come to

A key is looked up in the delta first, then in the base unless the delta withdrew it.
"""

import contextlib
import heapq
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.annoy_file import annoy_installed
from skuscan.bundle.manifest import manifest_files, parse_manifest
from skuscan.bundle.records import KEY_SEPARATOR, KIND_NAMES, KINDS, pair_key
from skuscan.bundle.state import state_digest
from skuscan.catalogue import Catalogue
from skuscan.errors import FeatureSpaceError, StoreError
from skuscan.keypoint_index import KeypointIndex
from skuscan.model import REFERENCE_SHAPE, Model, parse_artifact
from skuscan.proto.bundle_pb2 import Calibration, Manifest, Probe
from skuscan.proto.catalogue_pb2 import (
    RECORD_KIND_PAIR,
    RECORD_KIND_PRODUCT,
    RECORD_KIND_REFERENCE,
    FileRef,
    Pair,
    Product,
    RecordKind,
    Reference,
)
from skuscan.store.blobs import BlobFolder
from skuscan.store.mapped import MappedFile
from skuscan.store.pointers import Contents
from skuscan.store.table import RecordTable

CONTENTS_FILE = "contents.json"
EMBEDDINGS_FILE = "embeddings.npy"
KEYPOINTS_FILE = "keypoints.index"
LOCAL_INDEX_FILE = "base/index.annoy"
LAYERS = ("base", "delta")


def table_file(kind: RecordKind) -> str:
    """A table's file name in its layer's folder."""
    return f"{KIND_NAMES[kind]}.table"


@dataclass(frozen=True)
class Layer:
    """One layer of a generation."""

    tables: dict[RecordKind, RecordTable]
    embeddings: npt.NDArray[np.int8]  # (references, 2, 256)
    keypoints: KeypointIndex
    mapped: tuple[MappedFile, ...]

    @classmethod
    def open(cls, folder: Path, layer: str, contents: Contents) -> "Layer":
        """Open a layer and check everything that is not checked at each read. Raises StoreError when it is damaged."""
        tables = {kind: _open_table(folder, f"{layer}/{table_file(kind)}", kind, contents) for kind in KINDS}
        references = len(tables[RECORD_KIND_REFERENCE])
        paths = [f"{layer}/{name}" for name in (EMBEDDINGS_FILE, KEYPOINTS_FILE)]
        rows, keypoints = (MappedFile(folder / path, contents.files[path]) for path in paths)
        index = KeypointIndex(keypoints.data)
        if len(index) != references:
            raise StoreError(f"{references} references have a place each in their keypoints' index", f"{len(index)}")
        return cls(tables, _embeddings(rows.data, references), index, (rows, keypoints))


class Generation(Catalogue):
    """One generation on disk (see `Catalogue`). Immutable, safe in any thread, and readable until it is let go, even
    when another process removes it from the store meanwhile.

    Attributes:
        folder: Where the derived files are.
        contents: What they are.
        manifest: What was signed.
        degraded: Why something lesser answers than was published: an older generation, or no index; empty: it does not.
        opened_by: What the store's CURRENT was when it was opened; see `Store.is_current`.
    """

    def __init__(self, folder: Path, contents: Contents, manifest: Manifest, model: Model, blobs: BlobFolder) -> None:
        self.folder = folder
        self.contents = contents
        self.manifest = manifest
        self.degraded = ""
        self.opened_by: object = None
        self._model = model
        self._blobs = blobs
        self._base, self._delta = (Layer.open(folder, layer, contents) for layer in LAYERS)
        self._hidden = {kind: self._hidden_rows(kind) for kind in KINDS}
        backbone = MappedFile(model.backbone, model.artifact.backbone, checked=True)
        self._mapped = [backbone, *self._base.mapped, *self._delta.mapped]
        self._annoy_file = self._checked_index()

    @classmethod
    def open(cls, folder: Path, contents: Contents, blobs: BlobFolder) -> "Generation":
        """Open a folder that `GenerationBuild` made, and that holds this.

        Raises:
            StoreError: A file is missing or damaged.
            ModelError: One of the model's files is.
            FeatureSpaceError: The manifest's feature space is not the model's.
        """
        manifest = parse_manifest(blobs.read(contents.name.manifest))
        model = Model.open(parse_artifact(blobs.read(contents.name.model)), blobs.path)
        check_feature_space(manifest, model.feature_space)
        return cls(folder, contents, manifest, model, blobs)

    @property
    def number(self) -> int:
        """The generation's number."""
        return self.manifest.generation

    @property
    def model(self) -> Model:
        """The model whose feature space the references are in."""
        return self._model

    @property
    def calibration(self) -> Calibration:
        """The decision's fit to this assortment."""
        return self.manifest.calibration

    @property
    def probes(self) -> list[Probe]:
        """Pictures with the SKU and the embedding that they must give."""
        return list(self.manifest.probes)

    @property
    def base_embeddings(self) -> npt.NDArray[np.int8]:
        """(B, 2, 256) int8, a memory map."""
        return self._base.embeddings

    @property
    def delta_embeddings(self) -> npt.NDArray[np.int8]:
        """(D, 256) int8."""
        return self._delta.embeddings

    @property
    def withdrawn(self) -> npt.NDArray[np.bool_]:
        """(B,) bool: base rows that a delta replaced or a tombstone withdrew."""
        return self._hidden[RECORD_KIND_REFERENCE]

    @property
    def annoy_file(self) -> Path | None:
        """The index over the base rows, its digest checked at opening; None: search exactly."""
        return self._annoy_file

    @property
    def keypoint_indexes(self) -> tuple[KeypointIndex, ...]:
        """Over the keypoints of the base rows and of the delta rows, memory maps."""
        return self._base.keypoints, self._delta.keypoints

    @property
    def index_origin(self) -> str:
        """Where `annoy_file` comes from: "local", "published" or "none"."""
        if self._annoy_file is None:
            return "none"
        return "local" if self._annoy_file.is_relative_to(self.folder) else "published"

    def sku_of_row(self, row: int) -> str:
        """The SKU of a reference row. Raises IndexError outside the catalogue."""
        table, local = self._reference_at(row)
        return table.key(local).partition(KEY_SEPARATOR)[0]

    def reference(self, row: int) -> Reference:
        """The reference of a row, its checksum verified. Raises StoreError when it is damaged."""
        table, local = self._reference_at(row)
        return Reference.FromString(table.record(local))

    def product(self, sku: str) -> Product | None:
        """The product of a SKU, its checksum verified. Raises StoreError when it is damaged."""
        data = self._find(RECORD_KIND_PRODUCT, sku)
        return None if data is None else Product.FromString(data)

    def pair(self, sku: str, other: str) -> Pair | None:
        """The record of two easily confused SKUs, in either order. Raises StoreError when it is damaged."""
        data = self._find(RECORD_KIND_PAIR, pair_key(sku, other))
        return None if data is None else Pair.FromString(data)

    def products(self) -> Iterator[Product]:
        """Every live product, by SKU. Raises StoreError when one is damaged."""
        for table, row, _ in self._live(RECORD_KIND_PRODUCT):
            yield Product.FromString(table.record(row))

    def display_file(self, sku: str) -> Path | None:
        """The display picture of a SKU, checked; None when it has none or it is not here (yet)."""
        product = self.product(sku)
        if product is None or not product.HasField("display") or not self._blobs.is_intact(product.display):
            return None
        return self._blobs.path(product.display)

    def probe_picture(self, probe: Probe) -> bytes:
        """A probe's picture, its digest checked. Raises StoreError when it is missing or damaged."""
        return self._blobs.read(probe.picture)

    def count(self, kind: RecordKind) -> int:
        """How many records of a kind are live."""
        base = len(self._base.tables[kind]) - int(self._hidden[kind].sum())
        return base + len(self._delta.tables[kind])

    def state_digest(self) -> bytes:
        """The digest of what is live, computed from the tables (32 bytes)."""
        return state_digest((kind, key, table.sha256(row)) for kind in KINDS for table, row, key in self._live(kind))

    def is_whole(self) -> bool:
        """Whether every mapped file still has its length; cheap enough between two scans."""
        return all(file.is_whole() for file in self._mapped)

    def files(self) -> Iterator[FileRef]:
        """Every blob that the generation uses, display pictures too. Raises StoreError when a product is damaged."""
        yield from (self.contents.name.manifest, self.contents.name.model)
        yield from (self.model.artifact.backbone, self.model.artifact.head)
        yield from manifest_files(self.manifest)
        yield from self.displays()

    def displays(self) -> Iterator[FileRef]:
        """Every display picture, by SKU; one may serve several. Raises StoreError when a product is damaged."""
        return (product.display for product in self.products() if product.HasField("display"))

    def _reference_at(self, row: int) -> tuple[RecordTable, int]:
        base = self._base.tables[RECORD_KIND_REFERENCE]
        if 0 <= row < len(base):
            return base, row
        return self._delta.tables[RECORD_KIND_REFERENCE], row - len(base)

    def _find(self, kind: RecordKind, key: str) -> bytes | None:
        for table in (self._delta.tables[kind], self._base.tables[kind]):
            row = table.find(key)
            if row is not None:
                return table.record(row)
            if key in table.tombstones:
                return None
        return None

    def _hidden_rows(self, kind: RecordKind) -> npt.NDArray[np.bool_]:
        """(base records,) bool: those that the delta replaces or withdraws."""
        base, delta = self._base.tables[kind], self._delta.tables[kind]
        hidden = np.zeros(len(base), np.bool_)
        for keys in (delta.keys(), delta.tombstones):
            for key in keys:
                row = base.find(key)
                if row is not None:
                    hidden[row] = True
        return hidden

    def _live(self, kind: RecordKind) -> Iterator[tuple[RecordTable, int, str]]:
        """Table, row and key of every live record, by key."""
        base, delta = self._base.tables[kind], self._delta.tables[kind]
        kept = ((base, row, base.key(row)) for row in np.flatnonzero(~self._hidden[kind]).tolist())
        new = ((delta, row, delta.key(row)) for row in range(len(delta)))
        return heapq.merge(kept, new, key=lambda entry: entry[2])

    def _checked_index(self) -> Path | None:
        """The local index, else the published one where it was fetched. A damaged one is not used.

        Where Annoy is not installed no index is missed: to search exactly is how such a device works.
        """
        known: list[tuple[Path, FileRef]] = []
        if LOCAL_INDEX_FILE in self.contents.files:
            known.append((self.folder / LOCAL_INDEX_FILE, self.contents.files[LOCAL_INDEX_FILE]))
        if self.manifest.HasField("annoy") and self._blobs.path(self.manifest.annoy.file).exists():
            known.append((self._blobs.path(self.manifest.annoy.file), self.manifest.annoy.file))
        for path, ref in known:
            with contextlib.suppress(StoreError):
                self._mapped.append(MappedFile(path, ref))
                return path
        if self.manifest.HasField("annoy") and annoy_installed():
            self.degraded = "the search index is damaged or lost: searching exactly"
        return None


def _open_table(folder: Path, path: str, kind: RecordKind, contents: Contents) -> RecordTable:
    """A whole table of another generation in its place is damage, too."""
    table = RecordTable.open(folder / path, kind)
    if table.index_sha256 != contents.tables[path]:
        raise StoreError("a table has the records it was made with", f"others in {folder / path}", "run `skuscan sync`")
    return table


def check_feature_space(manifest: Manifest, model_space: bytes) -> None:
    """Raises FeatureSpaceError when a manifest's references are in another space than its model's."""
    if manifest.feature_space != model_space:
        raise FeatureSpaceError(
            "references and model are of one feature space",
            f"references of {manifest.feature_space.hex()[:16]}, a model of {model_space.hex()[:16]}",
            "publish the assortment again with this model",
        )


def embeddings_header(references: int) -> bytes:
    """What a .npy file of (references, 2, 256) int8 begins with."""
    header = io.BytesIO()
    described = {"descr": "|i1", "fortran_order": False, "shape": (references, *REFERENCE_SHAPE)}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def _embeddings(file: npt.NDArray[np.uint8], references: int) -> npt.NDArray[np.int8]:
    header = embeddings_header(references)
    if file[: len(header)].tobytes() != header or len(file) != len(header) + references * math.prod(REFERENCE_SHAPE):
        raise StoreError(f"{references} references have as many embeddings", f"a file of {len(file)} bytes")
    return file[len(header) :].view(np.int8).reshape(references, *REFERENCE_SHAPE)
