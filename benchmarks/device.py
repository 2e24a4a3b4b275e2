"""A device with 10,000 references: `python -m benchmarks.device [--references 10000] [--json FILE]`.

Scans drawn photos on one thread and prints every stage in yardsticks, the memory that a scanning process takes, what
`skuscan identify` and `import skuscan` cost from a cold start, and the bytes of a reference on the wire and on disk.

The references are those of 200 drawn products, and fillers made of them: an embedding disturbed, with the keypoints of
any of them, a share of the bits turned. So a photo meets products that look like it and are printed otherwise, as most
of a shop is; vectors and keypoints are of the real kind, and compress no better. Nobody draws 10,000 pictures for a
benchmark.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: everything here is one thread

import numpy as np
from PIL import Image

from benchmarks.store_size import annoy_of, manifest_of, parts, segment_of
from skuscan.bench import bench
from skuscan.bundle.records import KINDS, key_of, reference_id
from skuscan.catalogue import stored_vectors
from skuscan.embedding import dequantize, quantize, unit
from skuscan.features import FeatureExtractor
from skuscan.keypoints import pack, unpack
from skuscan.model import BACKBONE_FILE, EMBEDDING_SIZE, HEAD_FILE, Model
from skuscan.proto.bundle_pb2 import ModelArtifact
from skuscan.proto.catalogue_pb2 import Product, RecordKind, Reference
from skuscan.recognition import RecognizerOptions
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions
from skuscan.store import DeviceIdentity, Store
from skuscan_models.artifacts import released_folder
from skuscan_models.synthetic.demo import benchmark_catalogue, photograph_product
from skuscan_models.synthetic.packaging import draw_front
from skuscan_server.config import ServerConfig

ARTIFACT = released_folder()
DRAWN = 200  # products with pictures of their own
PHOTOS = 20
REPEATS = 3  # scans of each photo
DISTURBANCE = 0.5  # length of the noise added to a unit embedding
TURNED_BITS = 0.2  # share of a descriptor's bits
COLD_STARTS = 5
BUDGET_CANDIDATES = 10  # verified, in the budget of search, verification and decision
AFTER_EMBEDDING = ("search", "verify", "decide")  # stages of one budget together
PRODUCT, REFERENCE, _ = KINDS
CERTAIN = {"skip_verification_logit": 1e-9, "intercept": 1e3}  # the embedding alone, of every scan
UNSURE = {"closer_look_probability": 2.0}  # of every scan

MEMORY_CHILD = """
import re, sys
from pathlib import Path
from skuscan import Recognizer
from skuscan_models.artifacts import released_folder
recognizer = Recognizer.open(sys.argv[1])
for photo in sys.argv[2:]:
    recognizer.identify(photo)
print(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@dataclass(frozen=True)
class DeviceNumbers:
    """What this device needs with so many references."""

    references: int
    yardstick_ms: float
    scan_yardsticks: float  # all stages of a scan, median
    mean_scan_yardsticks: float  # mean, closer looks included as often as they are taken
    certain_yardsticks: float  # all stages of a scan whose embedding alone is certain, median
    closer_yardsticks: float  # all stages of a scan that takes a closer look, median
    after_embedding_yardsticks: float  # search, verification of 10 candidates and decision, medians added
    rss_mb: float  # a process that scanned all photos
    identify_seconds: float  # `skuscan identify` of one picture, from a cold start
    import_seconds: float  # `import skuscan`, beyond an empty Python
    wire_bytes: float  # per reference: embedding, keypoints, index
    disk_bytes: float  # per reference: everything but the model, blobs included


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        numbers = measure(Path(folder), arguments.references)
    for name, value in asdict(numbers).items():
        print(f"{name:<28}{value:>12,.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(numbers), indent=2) + "\n")
    return 0


def measure(folder: Path, references: int) -> DeviceNumbers:
    """Make a store and photos in `folder`, and measure."""
    shop = _Shop(folder, references)
    store = shop.store
    photos = _photos(folder)
    options = RuntimeOptions(threads=1)
    with Recognizer.open(store, RecognizerOptions(runtime=options)) as recognizer:
        stages = bench(recognizer, [photo.read_bytes() for photo in photos], REPEATS, options)
    with Recognizer.open(store, RecognizerOptions(shortlist=BUDGET_CANDIDATES, runtime=options)) as recognizer:
        ten = bench(recognizer, [photo.read_bytes() for photo in photos], REPEATS, options)
    by_stage = {stage.stage: stage for stage in stages}
    yardstick = by_stage["inference"].median_ms
    print(f"{'stage':<12}{'median ms':>11}{'p95 ms':>9}{'yardsticks':>12}")
    for stage in stages:
        print(f"{stage.stage:<12}{stage.median_ms:>11.2f}{stage.p95_ms:>9.2f}{stage.yardsticks:>12.2f}")
    on_disk = sum(store.status().bytes_on_disk.values()) - shop.model_bytes
    certain, closer = (_scan_yardsticks(shop, decision, photos, options) for decision in (CERTAIN, UNSURE))
    shop.activate({})
    return DeviceNumbers(
        references=references,
        yardstick_ms=by_stage["inference"].median_ms,
        scan_yardsticks=by_stage["scan"].yardsticks,
        mean_scan_yardsticks=by_stage["scan"].mean_ms / yardstick,
        certain_yardsticks=certain,
        closer_yardsticks=closer,
        after_embedding_yardsticks=sum(stage.yardsticks for stage in ten if stage.stage in AFTER_EMBEDDING),
        rss_mb=int(_python(MEMORY_CHILD, str(store.path), *map(str, photos))) / 1024,
        identify_seconds=_cold_start(["-m", "skuscan.cli", "identify", str(photos[0]), "--store", str(store.path)]),
        import_seconds=_cold_start(["-c", "import skuscan"]) - _cold_start(["-c", ""]),
        wire_bytes=shop.wire_bytes / references,
        disk_bytes=on_disk / references,
    )


class _Shop:
    """A store whose live generation has so many references.

    Attributes:
        store: The store.
        wire_bytes: Of its recognition data.
        model_bytes: Of the model's files.
    """

    def __init__(self, folder: Path, references: int) -> None:
        identity = DeviceIdentity("http://127.0.0.1", "d", "t", "default", "00" * 32, "", "", "")
        self.store = Store.create(folder / "store", identity)
        self._state = _records(references)
        self._base = [segment_of(self.store, part) for kind in KINDS for part in parts(self._state, kind)]
        has_annoy = references >= ServerConfig().annoy_from
        self._annoy = annoy_of(self.store, self._state, folder) if has_annoy else None
        files = [(ARTIFACT / name).read_bytes() for name in (BACKBONE_FILE, HEAD_FILE)]
        self.model_bytes = sum(self.store.blobs.put(data).length for data in files)
        wire = sum(segment.file.length for segment in self._base if segment.kind == REFERENCE)
        self.wire_bytes = wire + (self._annoy.file.length if self._annoy else 0)
        self._number = 0
        self.activate({})

    def activate(self, decision: Mapping[str, float]) -> None:
        """A generation of the same references, with other thresholds of the model's decision."""
        self._number += 1
        artifact = ModelArtifact()
        artifact.CopyFrom(Model.open_folder(ARTIFACT).artifact)
        for name, value in decision.items():
            setattr(artifact.decision, name, value)
        model = artifact.SerializeToString(deterministic=True)
        manifest = manifest_of(self._number, self._state, self._base, [], model, self.store, self._annoy)
        self.store.activate(self.store.prepare(manifest, model), lambda _: None)


def _scan_yardsticks(
    shop: _Shop, decision: Mapping[str, float], photos: Sequence[Path], options: RuntimeOptions
) -> float:
    """A whole scan under another decision, median."""
    shop.activate(decision)
    with Recognizer.open(shop.store, RecognizerOptions(runtime=options)) as recognizer:
        return bench(recognizer, [photo.read_bytes() for photo in photos], REPEATS, options)[-1].yardsticks


def _records(references: int) -> dict[tuple[RecordKind, str], bytes]:
    extractor = FeatureExtractor.open(Model.open_folder(ARTIFACT), RuntimeOptions(threads=1))
    features = [extractor.extract(draw_front(product)) for product in benchmark_catalogue(min(DRAWN, references))]
    rng, state = np.random.default_rng(0), {}
    for number in range(references):
        drawn = features[number % len(features)]
        vectors, keypoints = dequantize(stored_vectors([drawn.embedding])[0]), drawn.keypoints
        if number >= len(features):
            noise = unit(rng.normal(size=EMBEDDING_SIZE).astype(np.float32))
            vectors = unit(vectors + noise * np.float32(DISTURBANCE))
            keypoints = _disturbed(features[int(rng.integers(len(features)))].keypoints, rng)
        sku = f"sku-{number:06d}"
        reference = Reference(
            sku=sku,
            reference_id=reference_id(b"%d" % number),
            embedding=quantize(vectors).tobytes(),
            keypoints=keypoints,
            appearance=drawn.appearance,
        )
        for kind, message in ((PRODUCT, Product(sku=sku, name=f"Product {number}")), (REFERENCE, reference)):
            data = message.SerializeToString()
            state[kind, key_of(kind, data)] = data
    return state


def _disturbed(packed: bytes, rng: np.random.Generator) -> bytes:
    """The same keypoints with a share of their descriptors' bits turned."""
    keypoints = unpack(packed)
    turned = np.packbits(rng.random((*keypoints.descriptors.shape, 8)) < TURNED_BITS, axis=-1)[..., 0]
    return pack(replace(keypoints, descriptors=keypoints.descriptors ^ turned))


def _photos(folder: Path) -> list[Path]:
    paths = []
    for number, product in enumerate(benchmark_catalogue(PHOTOS)):
        paths.append(folder / f"{number:02d}.jpg")
        Image.fromarray(photograph_product(product, 0)).save(paths[-1], quality=90)
    return paths


def _python(code: str, *arguments: str) -> str:
    run = [sys.executable, "-c", code, *arguments]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
    assert re.fullmatch(r"\d+", said)
    return said


def _cold_start(arguments: list[str]) -> float:
    """Seconds of a Python process, the median of a few."""
    times = []
    for _ in range(COLD_STARTS):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


if __name__ == "__main__":
    sys.exit(main())
