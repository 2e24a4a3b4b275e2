"""The manifest: one signed message that names everything a generation is made of."""

import math
import re
from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.records import SHA256_BYTES, check_embedding, check_file, check_kind, check_sku
from skuscan.errors import BundleError
from skuscan.proto.bundle_pb2 import AnnoyRef, Calibration, Manifest, SegmentRef
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE, FileRef, RecordKind

MANIFEST_FORMAT = 1
# Part of URLs, of folder names and of the enrolment token, whose parts are split at dots.
_ASSORTMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_WHOLE = 100  # per cent


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest and check it. Raises BundleError when it is too long, not one, or breaks a rule."""
    _check_length(data)
    try:
        manifest = Manifest.FromString(data)
    except DecodeError as error:
        raise BundleError("a manifest is a Manifest message", str(error)) from error
    check_manifest(manifest)
    return manifest


def serialize_manifest(manifest: Manifest) -> bytes:
    """The bytes that are signed and travel. Raises BundleError when the manifest breaks a rule."""
    check_manifest(manifest)
    data = manifest.SerializeToString(deterministic=True)
    _check_length(data)
    return data


def check_manifest(manifest: Manifest) -> None:
    """Check every rule of docs/formats.md that a manifest alone can tell. Raises BundleError, naming the rule."""
    if manifest.format != MANIFEST_FORMAT:
        raise BundleError(f"a manifest has format {MANIFEST_FORMAT}", f"format {manifest.format}", "update skuscan")
    check_assortment(manifest.assortment)
    if not manifest.previous_generation < manifest.generation:
        raise BundleError(
            "a generation is at least 1 and above the one before it",
            f"{manifest.generation} after {manifest.previous_generation}",
        )
    if manifest.created_unix_ms <= 0:
        raise BundleError("a manifest says when it was made", f"{manifest.created_unix_ms} ms")
    for name in ("feature_space", "model_sha256", "state_digest"):
        value: bytes = getattr(manifest, name)
        if len(value) != SHA256_BYTES:
            raise BundleError(f"a manifest's {name} has {SHA256_BYTES} bytes", f"{len(value)} bytes")
    if manifest.rollout_percent > _WHOLE:
        raise BundleError("a rollout is 0 to 100 per cent", f"{manifest.rollout_percent}")
    _check_segments(manifest)
    _check_counts(manifest)
    if manifest.HasField("annoy"):
        _check_annoy(manifest.annoy, _records(manifest.base_segments, RECORD_KIND_REFERENCE))
    _check_calibration(manifest)
    _check_probes(manifest)
    _check_files_once(manifest)


def check_assortment(name: str) -> None:
    """An assortment's name has 1 to 64 small letters, digits, `_` and `-`. Raises BundleError otherwise."""
    if not _ASSORTMENT.fullmatch(name):
        raise BundleError("an assortment's name has 1 to 64 of a-z, 0-9, _ and -, a letter or digit first", repr(name))


def segments_of(manifest: Manifest, layer: str, kind: RecordKind) -> list[SegmentRef]:
    """The segments of one record kind in the layer "base" or "delta", in their order."""
    segments = manifest.base_segments if layer == "base" else manifest.delta_segments
    return [segment for segment in segments if segment.kind == kind]


def manifest_files(manifest: Manifest) -> Iterator[FileRef]:
    """Every file that a manifest names itself, each once: segments, Annoy file, probe pictures.

    The model's files are named by the model, the display pictures by their products.
    """
    seen: set[bytes] = set()
    for ref in _files(manifest):
        if ref.sha256 not in seen:
            seen.add(ref.sha256)
            yield ref


def _files(manifest: Manifest) -> Iterator[FileRef]:
    yield from (segment.file for segment in manifest.base_segments)
    yield from (segment.file for segment in manifest.delta_segments)
    if manifest.HasField("annoy"):
        yield manifest.annoy.file
    yield from (probe.picture for probe in manifest.probes)


def _check_length(data: bytes) -> None:
    if len(data) > LIMITS.manifest_bytes:
        raise BundleError(f"a manifest has at most {LIMITS.manifest_bytes} bytes", f"{len(data)} bytes")


def _check_segments(manifest: Manifest) -> None:
    count = len(manifest.base_segments) + len(manifest.delta_segments)
    if count > LIMITS.segments:
        raise BundleError(f"a manifest names at most {LIMITS.segments} segments", f"{count}")
    for segment in (*manifest.base_segments, *manifest.delta_segments):
        check_file(segment.file, LIMITS.segment_bytes, "a segment")
        check_kind(segment.kind)
        if not 0 < segment.raw_length <= LIMITS.segment_raw_bytes:
            raise BundleError(f"a segment unpacks to 1 to {LIMITS.segment_raw_bytes} bytes", f"{segment.raw_length}")
        if not 0 < segment.records + segment.tombstones <= LIMITS.segment_records:
            raise BundleError(
                f"a segment has 1 to {LIMITS.segment_records} records and tombstones",
                f"{segment.records} and {segment.tombstones}",
            )
    if any(segment.tombstones for segment in manifest.base_segments):
        raise BundleError("only deltas have tombstones", "a base segment with some")


def _check_counts(manifest: Manifest) -> None:
    """The exact counts show when the records are merged; here they must be possible."""
    for name, kind in (("products", RECORD_KIND_PRODUCT), ("references", RECORD_KIND_REFERENCE)):
        said: int = getattr(manifest, name)
        most = _records(manifest.base_segments, kind) + _records(manifest.delta_segments, kind)
        if said > most:
            raise BundleError(f"a manifest counts no more {name} than its segments hold", f"{said} of {most}")


def _records(segments: Iterable[SegmentRef], kind: RecordKind) -> int:
    return sum(segment.records for segment in segments if segment.kind == kind)


def _check_annoy(annoy: AnnoyRef, base_references: int) -> None:
    check_file(annoy.file, LIMITS.annoy_bytes, "an Annoy file")
    if annoy.references != base_references:
        raise BundleError(f"the Annoy file covers all {base_references} base references", f"{annoy.references}")
    if not 0 < annoy.trees <= LIMITS.annoy_trees:
        raise BundleError(f"an Annoy file has 1 to {LIMITS.annoy_trees} trees", f"{annoy.trees}")


def _check_calibration(manifest: Manifest) -> None:
    if not manifest.HasField("calibration"):
        raise BundleError("a manifest has a calibration", "none")
    fit: Calibration = manifest.calibration
    if not (math.isfinite(fit.offset) and math.isfinite(fit.spread) and fit.spread > 0):
        raise BundleError("a calibration's offset is finite and its spread above 0", f"{fit.offset} and {fit.spread}")
    for name in ("false_accept_rate", "match_probability"):
        value: float = getattr(fit, name)
        if not 0.0 <= value <= 1.0:
            raise BundleError(f"a calibration's {name} is 0..1", f"{value}")


def _check_probes(manifest: Manifest) -> None:
    if len(manifest.probes) > LIMITS.probes:
        raise BundleError(f"a manifest has at most {LIMITS.probes} probes", f"{len(manifest.probes)}")
    for probe in manifest.probes:
        check_file(probe.picture, LIMITS.probe_bytes, "a probe picture")
        check_sku(probe.sku)
        check_embedding(probe.embedding)


def _check_files_once(manifest: Manifest) -> None:
    """Deltas may repeat: a price that goes from A to B and back to A gives the same delta file twice."""
    deltas = {segment.file.sha256 for segment in manifest.delta_segments}
    others = [ref.sha256 for ref in _files(manifest) if ref.sha256 not in deltas]
    if len(set(others)) < len(others) or any(s.file.sha256 in deltas for s in manifest.base_segments):
        raise BundleError("a manifest names a base segment, an index or a probe once", "one file in two places")
