"""Segments: what goes in comes out, and nothing else gets in."""

import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.records import KINDS, key_of, reference_id
from skuscan.bundle.segment import cut_by_range, read_segment, segment_ref, write_segment
from skuscan.errors import BundleError
from skuscan.model import file_ref
from skuscan.proto.bundle_pb2 import Segment, SegmentRef
from skuscan.proto.catalogue_pb2 import Pair, Product, Reference

PRODUCT, REFERENCE, PAIR = KINDS

skus = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20)
products = st.builds(lambda sku, name: Product(sku=sku, name=name).SerializeToString(), skus, skus)
references = st.builds(
    lambda sku, seed: Reference(
        sku=sku, reference_id=reference_id(seed), embedding=seed * 128, keypoints=seed
    ).SerializeToString(),
    st.sampled_from(["a", "b", "ä"]),
    st.binary(min_size=4, max_size=4).filter(lambda seed: any(seed) and 0x80 not in seed),
)
pairs = st.builds(
    lambda a, b: Pair(sku_a=min(a, b), sku_b=max(a, b) + "x", similarity=0.5).SerializeToString(), skus, skus
)
KINDS_OF_RECORDS = {PRODUCT: products, REFERENCE: references, PAIR: pairs}


def product(sku: str, name: str = "") -> bytes:
    return Product(sku=sku, name=name).SerializeToString()


def frame(message: Segment, **options: bool) -> tuple[bytes, SegmentRef]:
    """A file and its right reference, whatever the message says."""
    raw = message.SerializeToString()
    data = zstandard.ZstdCompressor(**{"write_checksum": True, **options}).compress(raw)
    counts = {"records": len(message.records), "tombstones": len(message.tombstones)}
    return data, SegmentRef(file=file_ref(data), kind=message.kind, raw_length=len(raw), **counts)


@given(st.data())
def test_what_was_written_is_read_sorted_and_byte_for_byte(data):
    kind = data.draw(st.sampled_from(KINDS))
    drawn = st.lists(KINDS_OF_RECORDS[kind], min_size=1, max_size=8, unique_by=lambda r: key_of(kind, r))
    records = data.draw(drawn)
    gone = data.draw(st.sets(KINDS_OF_RECORDS[kind].map(lambda r: key_of(kind, r)), max_size=4))
    gone -= {key_of(kind, record) for record in records}
    written = write_segment(kind, records, gone)
    content = read_segment(written, segment_ref(written))
    assert content.kind == kind
    assert content.records == sorted((key_of(kind, record), record) for record in records)
    assert content.tombstones == sorted(gone)
    assert write_segment(kind, reversed(records), gone) == written


def test_a_key_twice_is_not_written():
    with pytest.raises(BundleError, match="each once"):
        write_segment(PRODUCT, [product("a"), product("a", "other")])


def test_a_key_that_is_kept_and_withdrawn_is_not_written():
    with pytest.raises(BundleError, match="not among"):
        write_segment(PRODUCT, [product("a")], ["a"])


def test_an_empty_segment_is_not_written():
    with pytest.raises(BundleError, match="1 to"):
        write_segment(PRODUCT, [])


def test_more_than_a_device_unpacks_is_not_written():
    big = Reference(sku="a", embedding=b"\x01" * 512, keypoints=bytes(LIMITS.keypoint_bytes))
    count = LIMITS.segment_raw_bytes // LIMITS.keypoint_bytes + 1
    records = []
    for i in range(count):
        big.reference_id = f"{i:016x}"
        records.append(big.SerializeToString())
    with pytest.raises(BundleError, match="cut it"):
        write_segment(REFERENCE, records)


BROKEN = {
    "sorted": Segment(format=1, kind=PRODUCT, records=[product("b"), product("a")]),
    "each once": Segment(format=1, kind=PRODUCT, records=[product("a"), product("a")]),
    "tombstones are sorted": Segment(format=1, kind=PRODUCT, tombstones=["b", "a"]),
    "not among": Segment(format=1, kind=PRODUCT, records=[product("a")], tombstones=["a"]),
    "format 1": Segment(format=2, kind=PRODUCT, records=[product("a")]),
    "kind": Segment(format=1, kind=0, records=[product("a")]),
    "a reference id|a reference record|a SKU|embedding": Segment(format=1, kind=REFERENCE, records=[product("a")]),
    "1 to 200000 records": Segment(format=1, kind=PRODUCT),
    "control": Segment(format=1, kind=PRODUCT, tombstones=["\n"]),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_segment_that_breaks_a_rule_is_refused_by_that_rule(rule):
    with pytest.raises(BundleError, match=rule):
        read_segment(*frame(BROKEN[rule]))


@pytest.mark.parametrize(
    ("field", "value"), [("kind", REFERENCE), ("records", 2), ("tombstones", 1), ("raw_length", 5)]
)
def test_a_segment_unlike_its_reference_is_refused(field, value):
    data, ref = frame(Segment(format=1, kind=PRODUCT, records=[product("a")]))
    assert read_segment(data, ref).records
    setattr(ref, field, value)
    with pytest.raises(BundleError):
        read_segment(data, ref)


@pytest.mark.parametrize("option", [{"write_checksum": False}, {"write_content_size": False}])
def test_a_frame_that_does_not_say_its_size_or_carry_a_checksum_is_refused(option):
    with pytest.raises(BundleError):
        read_segment(*frame(Segment(format=1, kind=PRODUCT, records=[product("a")]), **option))


def test_bytes_after_the_frame_are_refused():
    data, ref = frame(Segment(format=1, kind=PRODUCT, records=[product("a")]))
    ref.file.CopyFrom(file_ref(data + b"more"))
    with pytest.raises(BundleError):
        read_segment(data + b"more", ref)


def test_a_bomb_is_refused_before_it_is_unpacked():
    data = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(200_000_000))
    ref = SegmentRef(file=file_ref(data), kind=PRODUCT, records=1, raw_length=200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="unpacks to"):
            read_segment(data, ref)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_frame_that_unpacks_to_more_than_it_says_is_refused():
    """The header's size is forged, and signed."""
    raw = Segment(format=1, kind=PRODUCT, records=[product("a", "x" * 300)]).SerializeToString()
    data = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(raw))
    assert zstandard.get_frame_parameters(bytes(data)).content_size == len(raw)
    at = data.index((len(raw) - 256).to_bytes(2, "little"), 4)  # two bytes, less 256 (RFC 8878, 3.1.1.1.4)
    data[at : at + 2] = (len(raw) - 256 - 20).to_bytes(2, "little")
    ref = SegmentRef(file=file_ref(bytes(data)), kind=PRODUCT, records=1, raw_length=len(raw) - 20)
    with pytest.raises(BundleError, match="zstd frame"):
        read_segment(bytes(data), ref)


@given(st.binary(max_size=200))
def test_random_bytes_give_a_bundle_error(data):
    ref = SegmentRef(file=file_ref(data), kind=PRODUCT, records=1, raw_length=100)
    with pytest.raises(BundleError):
        read_segment(data, ref)
    with pytest.raises(BundleError):
        segment_ref(data)


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.integers(1, 255), st.booleans())
def test_a_mutated_message_is_read_or_refused_and_never_crashes(at, flip, cut):
    """The mutation is inside the frame, so that the parser meets it and not the checksum."""
    raw = bytearray(
        Segment(
            format=1, kind=PRODUCT, records=[product(s, s * 9) for s in "abc"], tombstones=["d"]
        ).SerializeToString()
    )
    raw[at % len(raw)] ^= flip
    if cut:
        del raw[at % len(raw) :]
    data = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(raw))
    ref = SegmentRef(file=file_ref(data), kind=PRODUCT, records=3, tombstones=1, raw_length=len(raw))
    try:
        content = read_segment(data, ref)
    except BundleError:
        return
    assert all(key == key_of(PRODUCT, record) for key, record in content.records)


keys = st.dictionaries(st.text(min_size=1, max_size=8), st.integers(1, 2000), max_size=80)


@given(keys, st.integers(1, 5000))
def test_every_key_is_in_one_part_and_no_part_exceeds_the_target(sizes, target):
    parts = cut_by_range(sizes, target)
    assert sorted(key for part in parts for key in part) == sorted(sizes)
    for part in parts:
        assert part == sorted(part)
        assert len(part) == 1 or sum(sizes[key] for key in part) <= target


@given(keys, st.text(min_size=1, max_size=8), st.integers(1, 2000), st.integers(1, 5000))
def test_a_new_key_changes_only_the_part_it_falls_into(sizes, key, size, target):
    before = cut_by_range(sizes, target)
    after = cut_by_range({**sizes, key: size}, target)
    gone = [part for part in before if part not in after]
    assert len(gone) <= 1 or key in sizes
