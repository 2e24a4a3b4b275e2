"""A device's store of any size in seconds, and updates for it: the released model, random vectors and keypoints.

What a device stores and computes is of the usual size and kind; what it answers means nothing, but for the one product
that the probe shows.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.store_size import annoy_of, manifest_of, parts, segment_of
from skuscan.bundle.manifest import parse_manifest, serialize_manifest
from skuscan.bundle.records import KINDS, key_of, reference_id
from skuscan.embedding import Embedder, quantize
from skuscan.keypoints import pack
from skuscan.model import HEAD_FILE, Model
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import AnnoyRef, Probe, SegmentRef
from skuscan.proto.catalogue_pb2 import Product, RecordKind, Reference
from skuscan.runtime import RuntimeOptions
from skuscan.store import DeviceIdentity, Store
from skuscan_models.artifacts import released_folder
from skuscan_models.synthetic.demo import benchmark_catalogue, photograph_product
from tools.random_features import KEYPOINTS, random_keypoints

SIDE = 640  # px
PRODUCT, REFERENCE, _ = KINDS


class Shop:
    """Publishes to one store, without a network.

    Args:
        folder: Where the store `store` is made.
        references: Products, with a reference each.

    Attributes:
        store: The store; nothing is live yet.
        model: The target `model`.
        photo: A picture's bytes: what the probe shows.
    """

    def __init__(self, folder: Path, references: int) -> None:
        self.store = Store.create(
            folder / "store", DeviceIdentity("http://127.0.0.1:1", "d", "t", "default", "00" * 32, "", "", "")
        )
        model = Model.open_folder(released_folder())
        for path in (model.backbone, model.backbone.with_name(HEAD_FILE)):
            self.store.blobs.put(path.read_bytes())
        self.model = model.artifact.SerializeToString(deterministic=True)
        self.photo = _jpeg(folder)
        vector = Embedder.open(model, RuntimeOptions()).embed_reference(load_picture(self.photo))
        self._probe = Probe(
            picture=self.store.blobs.put(self.photo), sku="sku-000000", embedding=quantize(vector).tobytes()
        )
        self._folder = folder
        self._references = references
        self._number = 0
        self._state: dict[tuple[RecordKind, str], bytes] = {}
        self._base: list[SegmentRef] = []
        self._annoy: AnnoyRef | None = None

    def base(self) -> bytes:
        """The manifest of a new base: every reference another one."""
        self._number += 1
        self._state = self._records(range(self._references))
        self._base = self._segments(self._state)
        self._annoy = annoy_of(self.store, self._state, self._folder)
        return self._manifest([])

    def delta(self, products: int) -> bytes:
        """The manifest of the same base with so many products changed since."""
        self._number += 1
        step = max(1, self._references // products)
        changed = self._records(range(0, self._references, step)[:products])
        self._state |= changed
        return self._manifest(self._segments(changed))

    def _segments(self, records: dict[tuple[RecordKind, str], bytes]) -> list[SegmentRef]:
        return [segment_of(self.store, part) for kind in KINDS for part in parts(records, kind)]

    def _manifest(self, delta: list[SegmentRef]) -> bytes:
        data = manifest_of(self._number, self._state, self._base, delta, self.model, self.store, self._annoy)
        manifest = parse_manifest(data)
        manifest.probes.append(self._probe)
        return serialize_manifest(manifest)

    def _records(self, numbers: range) -> dict[tuple[RecordKind, str], bytes]:
        rng, records = np.random.default_rng(self._number), {}
        for number in numbers:
            sku = f"sku-{number:06d}"
            embedding = rng.integers(-127, 128, 512, dtype=np.int8).tobytes()
            reference = Reference(
                sku=sku,
                reference_id=reference_id(b"%d" % number),
                embedding=embedding if number else self._probe.embedding,
                keypoints=pack(random_keypoints(rng, KEYPOINTS, SIDE, SIDE)),
            )
            product = Product(sku=sku, name=f"Product {number}, generation {self._number}")
            for kind, message in ((PRODUCT, product), (REFERENCE, reference)):
                data = message.SerializeToString()
                records[kind, key_of(kind, data)] = data
        return records


def _jpeg(folder: Path) -> bytes:
    path = folder / "probe.jpg"
    Image.fromarray(photograph_product(next(iter(benchmark_catalogue(1))), 0)).save(path, quality=90)
    return path.read_bytes()
