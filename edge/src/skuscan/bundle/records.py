"""Records: the smallest things that travel. Each is checked here before anything else looks at it.

A record's key decides where it stands in a segment and what a later record replaces; its raw bytes are never made
again from the parsed message, because protobuf is not canonical.
"""

import hashlib
import math
import re

from google.protobuf.message import DecodeError

from skuscan.bundle.limits import LIMITS
from skuscan.errors import BundleError
from skuscan.model import EMBEDDING_SIZE, REFERENCE_SHAPE
from skuscan.proto.catalogue_pb2 import (
    RECORD_KIND_PAIR,
    RECORD_KIND_PRODUCT,
    RECORD_KIND_REFERENCE,
    AttributeValue,
    FileRef,
    Pair,
    Product,
    RecordKind,
    Reference,
)

Record = Product | Reference | Pair

KINDS: tuple[RecordKind, ...] = (RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE, RECORD_KIND_PAIR)
KIND_NAMES: dict[RecordKind, str] = {
    RECORD_KIND_PRODUCT: "product",
    RECORD_KIND_REFERENCE: "reference",
    RECORD_KIND_PAIR: "pair",
}
KEY_SEPARATOR = "\x1f"  # a control character, so no SKU holds one
SHA256_BYTES = 32
REFERENCE_ID_DIGITS = 16  # hex digits

_MESSAGES: dict[RecordKind, type[Record]] = {
    RECORD_KIND_PRODUCT: Product,
    RECORD_KIND_REFERENCE: Reference,
    RECORD_KIND_PAIR: Pair,
}
# Written out, not asked of `str.isprintable`: Unicode's tables grow with Python's version, and a server and a device of
# two versions must agree on every SKU.
_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"
_INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_NOT_IN_TEXT = re.compile(f"[{_CONTROL}]")
_NOT_IN_SKU = re.compile(f"[{_CONTROL}{_INVISIBLE}]")
_REFERENCE_ID = re.compile(f"[0-9a-f]{{{REFERENCE_ID_DIGITS}}}")
_GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NOT_AN_EMBEDDING_BYTE = b"\x80"  # -128: the largest component is +-127


def reference_id(picture: bytes) -> str:
    """The id of a reference: the first 16 hex digits of its picture's SHA-256."""
    return hashlib.sha256(picture).hexdigest()[:REFERENCE_ID_DIGITS]


def record_key(kind: RecordKind, message: Record) -> str:
    """The key of a checked message: the SKU, `sku 0x1F reference_id` or `sku_a 0x1F sku_b`.

    Keys sort bytewise by their UTF-8, which is how Python sorts strings: by code point.

    Raises:
        BundleError: The message is of another kind.
    """
    if kind == RECORD_KIND_PRODUCT and isinstance(message, Product):
        return message.sku
    if kind == RECORD_KIND_REFERENCE and isinstance(message, Reference):
        return f"{message.sku}{KEY_SEPARATOR}{message.reference_id}"
    if kind == RECORD_KIND_PAIR and isinstance(message, Pair):
        return f"{message.sku_a}{KEY_SEPARATOR}{message.sku_b}"
    raise BundleError("a record is of its segment's kind", f"a {type(message).__name__} among kind {kind}")


def pair_key(sku: str, other: str) -> str:
    """The key of the pair of two SKUs, given in either order."""
    return KEY_SEPARATOR.join(sorted((sku, other)))


def key_of(kind: RecordKind, data: bytes) -> str:
    """Parse and check a serialised record: its key. Raises BundleError as `parse_record` does."""
    return record_key(kind, parse_record(kind, data))


def parse_record(kind: RecordKind, data: bytes) -> Record:
    """Parse a serialised record and check every rule of its kind.

    Raises:
        BundleError: It is too long, not such a message, or breaks a rule of docs/formats.md.
    """
    if len(data) > LIMITS.record_bytes:
        raise BundleError(f"a record has at most {LIMITS.record_bytes} bytes", f"{len(data)} bytes")
    check_kind(kind)
    try:
        message = _MESSAGES[kind].FromString(data)
    except DecodeError as error:
        raise BundleError(f"a {KIND_NAMES[kind]} record is such a message", str(error)) from error
    if isinstance(message, Product):
        _check_product(message)
    elif isinstance(message, Reference):
        _check_reference(message)
    else:
        _check_pair(message)
    return message


def check_kind(kind: int) -> None:
    """Raises BundleError when a number is not one of the three record kinds."""
    if kind not in _MESSAGES:
        raise BundleError("a record kind is product, reference or pair", f"kind {kind}")


def check_key(kind: RecordKind, key: str) -> None:
    """Check a key that came without its record, such as a tombstone. Raises BundleError."""
    parts = key.split(KEY_SEPARATOR)
    if len(parts) != (1 if kind == RECORD_KIND_PRODUCT else 2):
        raise BundleError(f"a {KIND_NAMES[kind]} key has its parts, 0x1F between them", repr(key))
    check_sku(parts[0])
    if kind == RECORD_KIND_REFERENCE:
        _check_reference_id(parts[1])
    if kind == RECORD_KIND_PAIR:
        _check_pair_order(parts[0], parts[1])


def check_sku(sku: str) -> None:
    """A SKU has 1 to 128 visible characters and no space at its ends. Raises BundleError otherwise."""
    if not 0 < len(sku) <= LIMITS.sku_length:
        raise BundleError(f"a SKU has 1 to {LIMITS.sku_length} characters", f"{sku!r}, {len(sku)} characters")
    if _NOT_IN_SKU.search(sku) or sku != sku.strip(" "):
        raise BundleError("a SKU has no control or invisible characters and no space at its ends", repr(sku))


def check_gtin(gtin: str) -> None:
    """A GTIN has 8, 12, 13 or 14 digits, the last a check digit (GS1 General Specifications). Raises BundleError."""
    if not _GTIN.fullmatch(gtin):
        raise BundleError("a GTIN has 8, 12, 13 or 14 digits", repr(gtin))
    digits = [int(c) for c in reversed(gtin)]
    if (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10:
        raise BundleError("a GTIN ends with its check digit", repr(gtin))


def check_embedding(embedding: bytes) -> None:
    """Two vectors of 256 int8 components in -127..127, none of them all zero. Raises BundleError otherwise."""
    length = math.prod(REFERENCE_SHAPE)
    if len(embedding) != length:
        advice = "use one version of skuscan on server and devices, and sync again"
        raise BundleError(f"an embedding has {length} bytes", f"{len(embedding)} bytes", advice)
    vectors = (embedding[start : start + EMBEDDING_SIZE] for start in range(0, length, EMBEDDING_SIZE))
    if _NOT_AN_EMBEDDING_BYTE in embedding or not all(any(vector) for vector in vectors):
        raise BundleError("an embedding's components are -127..127 and not all zero", embedding[:8].hex() + "...")


def check_file(ref: FileRef, limit: int, what: str) -> None:
    """A file is named by 32 bytes of SHA-256 and a length of 1 to `limit` bytes. Raises BundleError otherwise."""
    if len(ref.sha256) != SHA256_BYTES:
        raise BundleError(f"{what} is named by a SHA-256 of {SHA256_BYTES} bytes", f"{len(ref.sha256)} bytes")
    if not 0 < ref.length <= limit:
        raise BundleError(f"{what} has 1 to {limit} bytes", f"{ref.length} bytes")


def _check_product(product: Product) -> None:
    check_sku(product.sku)
    _check_text(product.name, LIMITS.name_length, "a product's name")
    _check_text(product.group, LIMITS.sku_length, "a product's group")
    if product.gtin:
        check_gtin(product.gtin)
    if len(product.attributes) > LIMITS.attributes:
        raise BundleError(f"a product has at most {LIMITS.attributes} attributes", f"{len(product.attributes)}")
    for name, value in product.attributes.items():
        _check_text(name, LIMITS.attribute_name_length, "an attribute's name")
        _check_attribute(name, value)
    if product.HasField("display"):
        check_file(product.display, LIMITS.display_bytes, "a display picture")


def _check_attribute(name: str, value: AttributeValue) -> None:
    sort = value.WhichOneof("value")
    if not name or sort is None:
        raise BundleError("an attribute has a name and a value", f"{name!r} without one")
    if sort == "text":
        _check_text(value.text, LIMITS.attribute_text_length, f"attribute {name}")
    if sort == "number" and not math.isfinite(value.number):
        raise BundleError("an attribute's number is finite", f"{name}: {value.number}")
    if sort == "money" and not _CURRENCY.fullmatch(value.money.currency):
        raise BundleError("a currency has three capital letters (ISO 4217)", f"{name}: {value.money.currency!r}")


def _check_reference(reference: Reference) -> None:
    check_sku(reference.sku)
    _check_reference_id(reference.reference_id)
    check_embedding(reference.embedding)
    for name, packed, most in (
        ("keypoints", reference.keypoints, LIMITS.keypoint_bytes),
        ("appearance", reference.appearance, LIMITS.appearance_bytes),
    ):
        if len(packed) > most:
            raise BundleError(f"a reference's {name} take at most {most} bytes", f"{len(packed)} bytes")


def _check_reference_id(text: str) -> None:
    if not _REFERENCE_ID.fullmatch(text):
        raise BundleError(f"a reference id has {REFERENCE_ID_DIGITS} lower-case hex digits", repr(text))


def _check_pair(pair: Pair) -> None:
    check_sku(pair.sku_a)
    _check_pair_order(pair.sku_a, pair.sku_b)
    if not -1.0 <= pair.similarity <= 1.0:  # false for NaN too
        raise BundleError("a pair's similarity is -1..1", f"{pair.similarity}")
    if not 0.0 <= pair.minimum_margin <= 1.0:
        raise BundleError("a pair's minimum margin is 0..1", f"{pair.minimum_margin}")


def _check_pair_order(sku_a: str, sku_b: str) -> None:
    check_sku(sku_b)
    if sku_a >= sku_b:
        raise BundleError("a pair's first SKU sorts before its second", f"{sku_a!r}, {sku_b!r}")


def _check_text(text: str, limit: int, what: str) -> None:
    if len(text) > limit:
        raise BundleError(f"{what} has at most {limit} characters", f"{len(text)} characters")
    if _NOT_IN_TEXT.search(text):
        raise BundleError(f"{what} has no control characters", repr(text))
