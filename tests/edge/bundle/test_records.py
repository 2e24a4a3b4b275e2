"""Every rule of a record, kept and broken."""

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.records import KINDS, check_gtin, check_key, check_sku, key_of, pair_key, parse_record, reference_id
from skuscan.errors import BundleError
from skuscan.proto.catalogue_pb2 import AttributeValue, FileRef, Money, Product

PRODUCT, REFERENCE, PAIR = KINDS


def test_keys_are_the_sku_and_what_tells_its_records_apart(product, reference, pair):
    assert key_of(PRODUCT, product.SerializeToString()) == "milk-1l"
    assert key_of(REFERENCE, reference.SerializeToString()) == "milk-1l\x1f0123456789abcdef"
    assert key_of(PAIR, pair.SerializeToString()) == "milk-1l\x1fmilk-2l" == pair_key("milk-2l", "milk-1l")


def test_a_reference_id_is_cut_from_its_pictures_digest():
    assert reference_id(b"picture") == hashlib.sha256(b"picture").hexdigest()[:16]


@given(st.text(), st.text())
def test_keys_sort_as_their_bytes_do(a, b):
    assert (a < b) == (a.encode() < b.encode())


@pytest.mark.parametrize("sku", ["", " x", "x ", "a\x1fb", "a\nb", "a\u200bb", "\ufeffa", "a\u202eb", "x" * 129])
def test_a_sku_that_looks_like_another_is_refused(sku):
    with pytest.raises(BundleError, match="a SKU has"):
        check_sku(sku)


@pytest.mark.parametrize("sku", ["0", "a b", "Äpfel 5/kg", "牛乳", "🥛", "x" * 128])
def test_a_visible_sku_is_taken(sku):
    check_sku(sku)


@pytest.mark.parametrize("gtin", ["96385074", "036000291452", "4006381333931", "10012345678902"])
def test_a_gtin_with_its_check_digit_is_taken(gtin):
    check_gtin(gtin)
    wrong = gtin[:-1] + str((int(gtin[-1]) + 1) % 10)
    with pytest.raises(BundleError, match="check digit"):
        check_gtin(wrong)


@pytest.mark.parametrize(
    "gtin", ["1234567", "123456789", "40063813339311", "４００６３８１３３３９３１", "400638133393x"]
)
def test_a_gtin_of_another_form_is_refused(gtin):
    with pytest.raises(BundleError, match="GTIN"):
        check_gtin(gtin)


BROKEN_PRODUCTS = {
    "characters": {"name": "x" * (LIMITS.name_length + 1)},
    "control characters": {"name": "milk\x07"},
    "GTIN": {"gtin": "4006381333932"},
    "group": {"group": "x" * 129},
    "display picture": {"display": FileRef(sha256=b"short", length=5)},
    "bytes": {"display": FileRef(sha256=b"x" * 32, length=LIMITS.display_bytes + 1)},
    "attributes": {"attributes": {str(i): AttributeValue(flag=True) for i in range(LIMITS.attributes + 1)}},
    "a name and a value": {"attributes": {"x": AttributeValue()}},
    "finite": {"attributes": {"x": AttributeValue(number=float("nan"))}},
    "currency": {"attributes": {"x": AttributeValue(money=Money(currency="eur", minor_units=1))}},
    "attribute x": {"attributes": {"x": AttributeValue(text="y" * (LIMITS.attribute_text_length + 1))}},
}


@pytest.mark.parametrize("rule", BROKEN_PRODUCTS)
def test_a_product_that_breaks_a_rule_is_refused_by_that_rule(rule, product):
    fields = {"sku": "milk-1l", **BROKEN_PRODUCTS[rule]}
    with pytest.raises(BundleError, match=rule):
        parse_record(PRODUCT, Product(**fields).SerializeToString())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", ""),
        ("reference_id", "0123456789ABCDEF"),
        ("reference_id", "0123"),
        ("embedding", bytes(512)),
        ("embedding", b"\x01" * 256 + bytes(256)),
        ("embedding", b"\x01" * 511),
        ("embedding", b"\x80" * 512),
        ("keypoints", bytes(LIMITS.keypoint_bytes + 1)),
    ],
)
def test_a_reference_that_breaks_a_rule_is_refused(field, value, reference):
    setattr(reference, field, value)
    with pytest.raises(BundleError):
        parse_record(REFERENCE, reference.SerializeToString())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku_b", "milk-1l"),
        ("sku_b", "a"),
        ("sku_a", ""),
        ("similarity", 1.5),
        ("similarity", float("nan")),
        ("minimum_margin", -0.1),
        ("minimum_margin", float("inf")),
    ],
)
def test_a_pair_that_breaks_a_rule_is_refused(field, value, pair):
    setattr(pair, field, value)
    with pytest.raises(BundleError):
        parse_record(PAIR, pair.SerializeToString())


def test_a_record_over_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(BundleError, match="at most"):
        parse_record(PRODUCT, bytes(LIMITS.record_bytes + 1))


def test_a_field_of_a_later_version_is_no_fault(product):
    later = product.SerializeToString() + b"\xfa\x07\x03new"  # field 127
    assert parse_record(PRODUCT, later).sku == product.sku


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (PRODUCT, "a\x1fb"),
        (REFERENCE, "a"),
        (REFERENCE, "a\x1fxyz"),
        (PAIR, "b\x1fa"),
        (PAIR, "a\x1fb\x1fc"),
        (PAIR, "a"),
    ],
)
def test_a_key_of_another_form_is_refused(kind, key):
    with pytest.raises(BundleError):
        check_key(kind, key)


@given(st.sampled_from([*KINDS, 0, 4]), st.binary(max_size=300))
def test_random_bytes_give_a_record_or_a_bundle_error(kind, data):
    with contextlib.suppress(BundleError):
        parse_record(kind, data)
