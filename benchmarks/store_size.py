"""How much disk and memory a device's store takes: `python benchmarks/store_size.py [--references 10000]`.

Fake references of the wire's usual size: 512 bytes of embedding, 3.8 kB of keypoints and appearance that do not
compress, and an Annoy file over them where Annoy is installed. Memory is measured in child processes that do one thing
each; their floor is the same imports and nothing else.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from skuscan.annoy_file import annoy_installed, build_annoy
from skuscan.bundle.manifest import serialize_manifest
from skuscan.bundle.records import KINDS, key_of, reference_id
from skuscan.bundle.segment import cut_by_range, segment_ref, write_segment
from skuscan.bundle.state import state_digest
from skuscan.catalogue import stored_vectors
from skuscan.model import Head, feature_space, file_ref
from skuscan.proto.bundle_pb2 import AnnoyRef, Calibration, Manifest, ModelArtifact, SegmentRef
from skuscan.proto.catalogue_pb2 import AttributeValue, Money, Product, RecordKind, Reference
from skuscan.store import DeviceIdentity, Store

KEYPOINT_BYTES = 3_750  # and an appearance
SEGMENT_BYTES = 1_000_000
CHANGED_SHARE = 0.01  # of the catalogue, in the delta
TREES, SEED = 50, 1
DISK_BUDGET = 16_000  # bytes per reference, one generation with its blobs
RSS_BUDGET_MB = 200
PRODUCT, REFERENCE, _ = KINDS

CHILD = """
import re, sys, time
from pathlib import Path
from skuscan.bundle.manifest import parse_manifest
from skuscan.store import Store
store, task = Store.open(Path(sys.argv[1])), sys.argv[2]
started = time.perf_counter()
if task == "open":
    held = store.open_generation()
elif task == "read all":
    held = store.open_generation()
    for row in range(len(held.base_embeddings)):
        held.reference(row)
elif task == "repair":
    with store.lock:
        store.repair(store.read_current().live, "benchmark")
elif task == "update":
    held = store.open_generation()
    store.activate(store.prepare(*(Path(name).read_bytes() for name in sys.argv[3:])), lambda generation: None)
took = time.perf_counter() - started
# not getrusage: its peak is inherited from the parent
sizes = dict(re.findall(r"(VmHWM|RssAnon):\\s+(\\d+) kB", Path("/proc/self/status").read_text()))
print(int(sizes["VmHWM"]) / 1024, int(sizes["RssAnon"]) / 1024, took)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=10_000)
    count = parser.parse_args().references
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), count)


def measure(folder: Path, count: int) -> int:
    store = Store.create(
        folder / "store", DeviceIdentity("http://127.0.0.1", "d", "t", "default", "00" * 32, "", "", "")
    )
    state = dict(records(range(count), price=100))
    base = [segment_of(store, part) for kind in KINDS for part in parts(state, kind)]
    model = put_model(store)
    first = manifest_of(1, state, base, [], model, store, annoy_of(store, state, folder))
    started = time.perf_counter()
    store.activate(store.prepare(first, model), lambda generation: None)
    print(
        f"{count} references; wire {sum(s.file.length for s in base) / count:.0f} bytes each; built in "
        f"{time.perf_counter() - started:.1f} s"
    )
    used = store.status().bytes_on_disk
    per_reference = sum(used.values()) / count
    print(f"on disk {per_reference:.0f} bytes a reference (budget {DISK_BUDGET}): " + repr(used))

    changed = dict(records(range(0, count, round(1 / CHANGED_SHARE)), price=101))
    delta = [segment_of(store, part) for kind in KINDS for part in parts(changed, kind)]
    second = manifest_of(2, {**state, **changed}, base, delta, model, store, None)
    files = [folder / "manifest", folder / "model"]
    for path, data in zip(files, (second, model), strict=True):
        path.write_bytes(data)
    worst = max(child(store, task, *files) for task in ("nothing", "open", "read all", "repair", "update"))
    return 0 if per_reference <= DISK_BUDGET and worst <= RSS_BUDGET_MB else 1


def child(store: Store, task: str, *files: Path) -> float:
    run = [sys.executable, "-c", CHILD, str(store.path), task, *map(str, files)]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    rss_mb, private_mb, seconds = map(float, said.split())
    print(f"{task:>9}: peak RSS {rss_mb:.0f} MB, private at the end {private_mb:.0f} MB, {seconds:.2f} s")
    return rss_mb


def records(numbers: range, price: int) -> Iterator[tuple[tuple[RecordKind, str], bytes]]:
    for i in numbers:
        rng, sku = np.random.default_rng([i, price]), f"sku-{i:08}"
        embedding = rng.integers(-127, 128, 512, dtype=np.int8).tobytes()
        keypoints = rng.bytes(KEYPOINT_BYTES)
        attributes = {"price": AttributeValue(money=Money(currency="EUR", minor_units=price))}
        for kind, message in (
            (PRODUCT, Product(sku=sku, name=f"A product with a usual name, {i}", attributes=attributes)),
            (
                REFERENCE,
                Reference(sku=sku, reference_id=reference_id(b"%d" % i), embedding=embedding, keypoints=keypoints),
            ),
        ):
            data = message.SerializeToString()
            yield (kind, key_of(kind, data)), data


def parts(state: dict[tuple[RecordKind, str], bytes], kind: RecordKind) -> Iterator[tuple[RecordKind, list[bytes]]]:
    sizes = {key: len(data) for (k, key), data in state.items() if k == kind}
    for keys in cut_by_range(sizes, SEGMENT_BYTES):
        yield kind, [state[kind, key] for key in keys]


def segment_of(store: Store, part: tuple[RecordKind, list[bytes]]) -> SegmentRef:
    data = write_segment(*part)
    store.blobs.put(data)
    return segment_ref(data)


def put_model(store: Store) -> bytes:
    head = Head(3.0, np.ones((1280, 256), np.float32), np.zeros(256, np.float32), np.zeros(1280, np.float32)).dump()
    artifact = ModelArtifact(format=1, backbone=store.blobs.put(bytes(5_000_000)), head=store.blobs.put(head))
    return artifact.SerializeToString()


def annoy_of(store: Store, state: dict[tuple[RecordKind, str], bytes], folder: Path) -> AnnoyRef | None:
    if not annoy_installed():
        return None
    keys = sorted(key for kind, key in state if kind == REFERENCE)
    rows = stored_vectors([Reference.FromString(state[REFERENCE, key]).embedding for key in keys])
    partial(build_annoy, trees=TREES, seed=SEED)(rows, folder / "annoy")
    ref = store.blobs.put((folder / "annoy").read_bytes())
    return AnnoyRef(file=ref, trees=TREES, references=len(rows), seed=SEED)


def manifest_of(
    number: int,
    state: dict[tuple[RecordKind, str], bytes],
    base: list[SegmentRef],
    delta: list[SegmentRef],
    model: bytes,
    store: Store,
    annoy: AnnoyRef | None,
) -> bytes:
    return serialize_manifest(
        Manifest(
            format=1,
            assortment="default",
            generation=number,
            created_unix_ms=int(time.time() * 1000),
            feature_space=feature_space(ModelArtifact.FromString(model)),
            model_sha256=hashlib.sha256(model).digest(),
            base_segments=base,
            delta_segments=delta,
            annoy=annoy,
            state_digest=state_digest((*name, file_ref(state[name]).sha256) for name in sorted(state)),
            products=sum(kind == PRODUCT for kind, _ in state),
            references=sum(kind == REFERENCE for kind, _ in state),
            calibration=Calibration(spread=1),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
