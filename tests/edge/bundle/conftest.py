"""Records and a manifest that keep every rule, to be broken one rule at a time."""

import pytest

from skuscan.proto.bundle_pb2 import AnnoyRef, Calibration, Manifest, Probe, SegmentRef
from skuscan.proto.catalogue_pb2 import AttributeValue, FileRef, Money, Pair, Product, Reference

EMBEDDING = bytes([127, 0, 129, *range(1, 100)]).ljust(512, b"\x05")


def file(number: int, length: int = 1000) -> FileRef:
    return FileRef(sha256=bytes([number]) * 32, length=length)


def good_product() -> Product:
    return Product(
        sku="milk-1l",
        name="Whole milk, 1 l",
        gtin="4006381333931",
        group="milk",
        attributes={
            "price": AttributeValue(money=Money(currency="EUR", minor_units=119)),
            "organic": AttributeValue(flag=True),
            "fat": AttributeValue(number=3.5),
            "note": AttributeValue(text="kühl lagern"),
        },
        display=file(1, 9000),
    )


def good_reference() -> Reference:
    return Reference(sku="milk-1l", reference_id="0123456789abcdef", embedding=EMBEDDING, keypoints=b"\x01\x02\x03")


def good_pair() -> Pair:
    return Pair(sku_a="milk-1l", sku_b="milk-2l", similarity=0.9, minimum_margin=0.2)


def good_manifest() -> Manifest:
    return Manifest(
        format=1,
        assortment="default",
        generation=7,
        previous_generation=6,
        created_unix_ms=1_790_000_000_000,
        feature_space=b"s" * 32,
        model_sha256=b"m" * 32,
        base_segments=[
            SegmentRef(file=file(10), kind=1, records=3, raw_length=2000),
            SegmentRef(file=file(11), kind=2, records=5, raw_length=2000),
        ],
        delta_segments=[SegmentRef(file=file(12), kind=1, records=1, tombstones=2, raw_length=500)],
        annoy=AnnoyRef(file=file(13), trees=50, references=5, seed=1),
        state_digest=b"d" * 32,
        products=2,
        references=5,
        calibration=Calibration(offset=0.1, spread=1.2, false_accept_rate=0.01, match_probability=0.9, references=5),
        probes=[Probe(picture=file(14), sku="milk-1l", embedding=EMBEDDING)],
        rollout_percent=100,
    )


@pytest.fixture
def product() -> Product:
    return good_product()


@pytest.fixture
def reference() -> Reference:
    return good_reference()


@pytest.fixture
def pair() -> Pair:
    return good_pair()


@pytest.fixture
def manifest() -> Manifest:
    return good_manifest()


@pytest.fixture(scope="session")
def valid_manifest() -> bytes:
    """One for all examples of a property, which a function's fixture may not be."""
    return good_manifest().SerializeToString()
