"""Every rule of a manifest, kept and broken."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.manifest import check_assortment, manifest_files, parse_manifest, serialize_manifest
from skuscan.errors import BundleError
from skuscan.proto.bundle_pb2 import Manifest


def broken(**changes):
    """A name for the test, and what breaks a manifest."""
    (name, change), *_ = changes.items()
    return pytest.param(change, id=name)


def setter(field, value):
    return lambda manifest: setattr(manifest, field, value)


BROKEN = [
    broken(another_format=setter("format", 2)),
    broken(no_assortment=setter("assortment", "")),
    broken(assortment_is_a_path=setter("assortment", "../x")),
    broken(assortment_with_a_dot=setter("assortment", "a.b")),
    broken(generation_zero=lambda m: (setattr(m, "generation", 0), setattr(m, "previous_generation", 0))),
    broken(generation_not_above_the_previous=setter("previous_generation", 7)),
    broken(no_time=setter("created_unix_ms", 0)),
    broken(short_feature_space=setter("feature_space", b"s" * 31)),
    broken(no_model=setter("model_sha256", b"")),
    broken(long_state_digest=setter("state_digest", b"d" * 33)),
    broken(rollout_over_100=setter("rollout_percent", 101)),
    broken(more_products_than_records=setter("products", 5)),
    broken(more_references_than_records=setter("references", 6)),
    broken(segment_without_digest=lambda m: m.base_segments[0].file.ClearField("sha256")),
    broken(empty_segment_file=lambda m: setattr(m.base_segments[0].file, "length", 0)),
    broken(huge_segment_file=lambda m: setattr(m.base_segments[0].file, "length", LIMITS.segment_bytes + 1)),
    broken(huge_raw_segment=lambda m: setattr(m.base_segments[0], "raw_length", LIMITS.segment_raw_bytes + 1)),
    broken(segment_of_no_kind=lambda m: setattr(m.base_segments[0], "kind", 0)),
    broken(segment_of_a_kind_to_come=lambda m: setattr(m.base_segments[0], "kind", 9)),
    broken(segment_of_nothing=lambda m: setattr(m.base_segments[0], "records", 0)),
    broken(tombstones_in_the_base=lambda m: setattr(m.base_segments[0], "tombstones", 1)),
    broken(a_base_segment_twice=lambda m: m.base_segments.append(m.base_segments[0])),
    broken(one_file_in_base_and_delta=lambda m: m.delta_segments.append(m.base_segments[0])),
    broken(index_is_a_segment=lambda m: m.annoy.file.CopyFrom(m.base_segments[0].file)),
    broken(index_of_another_base=lambda m: setattr(m.annoy, "references", 4)),
    broken(index_without_trees=lambda m: setattr(m.annoy, "trees", 0)),
    broken(no_calibration=lambda m: m.ClearField("calibration")),
    broken(spread_zero=lambda m: setattr(m.calibration, "spread", 0.0)),
    broken(offset_not_finite=lambda m: setattr(m.calibration, "offset", float("inf"))),
    broken(rate_over_1=lambda m: setattr(m.calibration, "false_accept_rate", 1.1)),
    broken(threshold_not_a_number=lambda m: setattr(m.calibration, "match_probability", float("nan"))),
    broken(too_many_probes=lambda m: m.probes.extend([m.probes[0]] * LIMITS.probes)),
    broken(probe_without_embedding=lambda m: setattr(m.probes[0], "embedding", b"")),
    broken(probe_without_sku=lambda m: setattr(m.probes[0], "sku", "")),
    broken(huge_probe=lambda m: setattr(m.probes[0].picture, "length", LIMITS.probe_bytes + 1)),
]


def test_what_was_written_is_read(manifest):
    assert parse_manifest(serialize_manifest(manifest)) == manifest


@pytest.mark.parametrize("change", BROKEN)
def test_a_manifest_that_breaks_a_rule_is_neither_written_nor_read(change, manifest):
    change(manifest)
    with pytest.raises(BundleError):
        serialize_manifest(manifest)
    with pytest.raises(BundleError):
        parse_manifest(manifest.SerializeToString())


def test_an_empty_catalogue_is_a_catalogue():
    manifest = Manifest(
        format=1,
        assortment="a",
        generation=1,
        created_unix_ms=1,
        feature_space=bytes(32),
        model_sha256=bytes(32),
        state_digest=bytes(32),
    )
    manifest.calibration.spread = 1
    assert parse_manifest(serialize_manifest(manifest)) == manifest


def test_a_delta_may_come_back(manifest):
    """A price that goes from A to B and back to A: the third delta is the first one again."""
    manifest.delta_segments.append(manifest.delta_segments[0])
    assert len(list(manifest_files(parse_manifest(serialize_manifest(manifest))))) == 5


def test_a_manifest_over_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(BundleError, match="at most"):
        parse_manifest(bytes(LIMITS.manifest_bytes + 1))


@pytest.mark.parametrize("name", ["default", "store-0042", "a", "x" * 64])
def test_an_assortments_name_is_fit_for_urls_and_folders(name):
    check_assortment(name)


@given(st.binary(max_size=300))
def test_random_bytes_give_a_bundle_error(data):
    with pytest.raises(BundleError):
        parse_manifest(data)


@settings(max_examples=400)
@given(st.integers(0, 100_000), st.integers(1, 255), st.booleans())
def test_a_mutated_manifest_is_read_or_refused_and_never_crashes(valid_manifest, at, flip, cut):
    data = bytearray(valid_manifest)
    data[at % len(data)] ^= flip
    if cut:
        del data[at % len(data) :]
    with contextlib.suppress(BundleError):
        parse_manifest(bytes(data))
