"""The hard limits of everything that is read from outside. No bare number elsewhere decides what is too much."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BundleLimits:
    """Limits that a reader enforces before it allocates."""

    manifest_bytes: int = 2_000_000  # bytes, serialised
    model_artifact_bytes: int = 200_000  # bytes, serialised
    backbone_bytes: int = 64_000_000  # bytes
    head_bytes: int = 16_000_000  # bytes
    segment_bytes: int = 16_000_000  # bytes, compressed
    segment_raw_bytes: int = 16_000_000  # bytes, decompressed: a device holds about three times as much while reading
    segment_records: int = 200_000  # records and tombstones
    record_bytes: int = 65_536  # bytes, one serialised record
    sku_length: int = 128  # characters
    name_length: int = 500  # characters
    attributes: int = 64  # per product
    attribute_name_length: int = 64  # characters
    attribute_text_length: int = 4_000  # characters
    keypoint_bytes: int = 40_000  # bytes, the packed keypoints of one reference
    appearance_bytes: int = 2_000  # bytes, the packed appearance of one reference
    display_bytes: int = 200_000  # bytes, one display picture
    probe_bytes: int = 200_000  # bytes, one probe picture
    probes: int = 16  # per manifest
    segments: int = 20_000  # per manifest
    annoy_bytes: int = 1_000_000_000  # bytes, one index file
    annoy_trees: int = 1_000  # per index


LIMITS = BundleLimits()
