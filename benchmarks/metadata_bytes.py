"""Bytes of bodies that trust costs a device: a poll without news, a small change, a new model, a first sync.

Run it from the checkout: `.venv/bin/python benchmarks/metadata_bytes.py`. The manifest is one of 24 base segments,
8 probes and, for the change, 6 deltas; the model is an artefact like the released one.
"""

import hashlib
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from skuscan.proto.bundle_pb2 import Manifest, ModelArtifact, Probe, SegmentRef
from skuscan.proto.catalogue_pb2 import RECORD_KIND_REFERENCE, FileRef
from skuscan_server.keys import init_keys
from skuscan_server.repository import TufRepository


class Clock:
    """A minute passes between two publications."""

    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc)

    def __call__(self) -> datetime:
        """The time, a minute later at each call."""
        self.now += timedelta(minutes=1)
        return self.now


def ref(number: int) -> FileRef:
    return FileRef(sha256=hashlib.sha256(bytes([number])).digest(), length=100_000)


def manifest(generation: int, deltas: int) -> bytes:
    segments = [
        SegmentRef(file=ref(n), kind=RECORD_KIND_REFERENCE, records=400, raw_length=2_000_000)
        for n in range(24 + deltas)
    ]
    return Manifest(
        format=1,
        assortment="default",
        generation=generation,
        created_unix_ms=1_790_000_000_000,
        feature_space=bytes(range(32)),
        model_sha256=bytes(range(32)),
        base_segments=segments[:24],
        delta_segments=segments[24:],
        state_digest=bytes(range(32)),
        probes=[Probe(picture=ref(100 + n), sku=f"sku-{n:06}", embedding=bytes(range(256)) * 2) for n in range(8)],
        rollout_percent=100,
    ).SerializeToString()


def model(name: str) -> bytes:
    return ModelArtifact(format=1, name=name, backbone=ref(200), head=ref(201)).SerializeToString()


def metadata(repository: TufRepository) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in repository.metadata.iterdir()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        repository = TufRepository(Path(folder), "default", init_keys(Path(folder) / "keys"), Clock())
        repository.create()
        repository.publish(manifest(1, 0), model("one"))
        first = metadata(repository)
        report("first sync: metadata", sum(first.values()))
        report("poll without news: timestamp.json (the next root is a 404)", first["timestamp.json"])
        change, bundle = manifest(2, 6), len(manifest(2, 6))
        repository.publish(change, model("one"))
        second = metadata(repository)
        fresh = sum(size for name, size in second.items() if name not in first) + second["timestamp.json"]
        report("a change: metadata", fresh)
        report("a change: manifest", bundle)
        repository.publish(manifest(3, 6), model("two"))
        third = metadata(repository)
        fresh = sum(size for name, size in third.items() if name not in second) + third["timestamp.json"]
        report("a change with a new model: metadata", fresh)


def report(what: str, size: int) -> None:
    print(f"{size:7,d} bytes  {what}")


if __name__ == "__main__":
    main()
