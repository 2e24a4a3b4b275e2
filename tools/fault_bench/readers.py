"""The readers of outside bytes that are fuzzed, each with a corpus of valid bytes made by the code that writes them."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import zstandard
from google.protobuf.message import DecodeError
from PIL import Image

from skuscan import appearance, keypoints
from skuscan.bundle.manifest import parse_manifest, serialize_manifest
from skuscan.bundle.records import KINDS, parse_record
from skuscan.bundle.segment import read_segment, segment_ref, write_segment
from skuscan.keypoint_index import KeypointIndex, build_keypoint_index
from skuscan.keypoints import Keypoints
from skuscan.model import Head, feature_space, file_ref, parse_artifact
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import Segment, SegmentRef
from skuscan.proto.catalogue_pb2 import (
    RECORD_KIND_PAIR,
    RECORD_KIND_PRODUCT,
    RECORD_KIND_REFERENCE,
    AttributeValue,
    FileRef,
    Money,
    Pair,
    Product,
    RecordKind,
    Reference,
)
from skuscan.sync.token import EnrolToken
from skuscan_server.catalogue.csv_import import read_csv
from tools.fault_bench.fuzz import Reader
from tools.fault_bench.repository_readers import bundle_reader, metadata_reader, miniature_site, scratch
from tools.random_features import random_appearance, random_keypoints

MOST_CSV = 1_000_000  # bytes
MOST_ROWS = 1_000
EXIF_UPSIDE_DOWN = 3
PICTURE_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("RGB", "JPEG", {"quality": 80}),
    ("CMYK", "JPEG", {"progressive": True}),
    ("L", "JPEG", {"quality": 30}),
    ("RGBA", "PNG", {}),
    ("P", "PNG", {}),
    ("I;16", "PNG", {}),
    ("RGB", "WEBP", {}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("RGB", "TIFF", {}),
    ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    ("1", "TIFF", {"compression": "group4"}),
    ("RGB", "BMP", {}),
    ("P", "GIF", {}),
)

LARGEST = 1 << 20  # bytes that a frame unpacks to before it is mutated


def _points(count: int) -> Keypoints:
    return random_keypoints(np.random.default_rng(count), count, 640, 480)


def _appearance() -> bytes:
    return appearance.pack(random_appearance(np.random.default_rng(1), (10, 20, 600, 400)))


def _records(kind: RecordKind) -> list[bytes]:
    embedding = np.random.default_rng(2).integers(-127, 128, 512, np.int8).tobytes()
    price = {"price": AttributeValue(money=Money(currency="EUR", minor_units=249)), "bio": AttributeValue(flag=True)}
    display = FileRef(sha256=bytes(32), length=9_000)
    made: dict[RecordKind, list[Any]] = {
        RECORD_KIND_PRODUCT: [
            Product(sku="A", name="Apple"),
            Product(sku="Ä-2", name="Juice", gtin="4006381333931", group="juice", attributes=price, display=display),
        ],
        RECORD_KIND_REFERENCE: [
            Reference(
                sku=sku,
                reference_id="0123456789abcdef",
                embedding=embedding,
                keypoints=keypoints.pack(_points(20)),
                appearance=_appearance(),
            )
            for sku in ("A", "Ä-2")
        ],
        RECORD_KIND_PAIR: [Pair(sku_a="A", sku_b="B", similarity=0.8, minimum_margin=0.1)],
    }
    return [message.SerializeToString() for message in made[kind]]


def _record(kind: RecordKind) -> Reader:
    return Reader(_records(kind), partial(parse_record, kind))


def _segment() -> Reader:
    """The digest is that of the mutated file: a signed segment may be as wrong as its signer likes."""
    decompress, compress = zstandard.ZstdDecompressor(), zstandard.ZstdCompressor(write_checksum=True)

    def unpacked(data: bytes) -> bytes:
        """Raises ZstdError; the library would make room for whatever a frame says."""
        if zstandard.get_frame_parameters(data).content_size > LARGEST:
            raise zstandard.ZstdError("too large")
        return decompress.decompress(data)

    def read(data: bytes) -> object:
        try:
            content = Segment.FromString(unpacked(data))
        except (zstandard.ZstdError, DecodeError):
            content = Segment(kind=RECORD_KIND_PRODUCT, records=[b""])
        try:
            length = zstandard.get_frame_parameters(data).content_size
        except zstandard.ZstdError:
            length = 100
        return read_segment(
            data,
            SegmentRef(
                file=file_ref(data),
                kind=content.kind,
                records=len(content.records),
                tombstones=len(content.tombstones),
                raw_length=length,
            ),
        )

    def envelop(data: bytes) -> bytes:
        try:
            raw = bytearray(unpacked(data))
        except zstandard.ZstdError:
            raw = bytearray(data)
        rng = np.random.default_rng(len(data))
        for at in rng.integers(0, max(1, len(raw)), 3):
            raw[at : at + 1] = rng.bytes(1)
        return compress.compress(bytes(raw))

    corpus = [write_segment(kind, _records(kind)) for kind in KINDS]
    return Reader([*corpus, write_segment(RECORD_KIND_PRODUCT, [], ["A", "B"])], read, envelop)


def _segment_of_any_sender() -> Reader:
    return Reader([write_segment(kind, _records(kind)) for kind in KINDS], segment_ref)


def _manifest() -> Reader:
    return Reader([serialize_manifest(miniature_site().manifest())], parse_manifest)


def _artefact() -> Reader:
    def read(data: bytes) -> bytes:
        return feature_space(parse_artifact(data))

    return Reader([miniature_site().model().SerializeToString()], read)


def _head() -> Reader:
    head = Head(3.0, np.ones((4, 256), np.float32), np.zeros(256, np.float32), np.zeros(4, np.float32))
    compressed = io.BytesIO()
    np.savez_compressed(
        compressed, gem_p=head.gem_p, projection=head.projection, bias=head.bias, attention=head.attention
    )
    return Reader([head.dump(), compressed.getvalue()], Head.load)


def _keypoint_index() -> Reader:
    def read(data: bytes) -> object:
        return KeypointIndex(np.frombuffer(data, np.uint8))

    return Reader([build_keypoint_index([_points(30)] * 3, 3, bits) for bits in (6, 8)], read)


def _picture() -> Reader:
    rng = np.random.default_rng(3)
    drawn = Image.fromarray(np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = EXIF_UPSIDE_DOWN
    corpus = []
    for mode, kind, options in PICTURE_KINDS:
        out = io.BytesIO()
        picture = Image.fromarray(np.zeros((48, 64), np.uint16)) if mode == "I;16" else drawn.convert(mode)
        picture.save(out, kind, **options, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}))
        corpus.append(out.getvalue())
    return Reader(corpus, load_picture)


def _csv() -> Reader:
    path = scratch() / "catalogue.csv"

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return read_csv(path, MOST_CSV, MOST_ROWS)

    plain = b"sku,name,image\nA,Apple,a.jpg\nA,Apple,b.jpg\nB,Pear,c.jpg\n"
    full = (
        "\ufeffsku,name,image,gtin,group,price,currency,withdrawn,colour\r\n"
        'A-1,"Juice, ""fresh""",a.jpg,4006381333931,juice,2.49,EUR,,red\r\nB,Old,,,,,,yes,\r\n'
    )
    return Reader([plain, full.encode()], read)


def _token() -> Reader:
    def read(data: bytes) -> object:
        return str(EnrolToken.parse(data.decode("latin-1")))

    return Reader([f"sk1.store-17.{'Ab3_-' * 8}.{bytes(range(32)).hex()}".encode()], read)


READERS: dict[str, Callable[[], Reader]] = {
    "appearance": lambda: Reader([_appearance()], appearance.unpack),
    "artefact": _artefact,
    "bundle": bundle_reader,
    "csv": _csv,
    "head": _head,
    "keypoint index": _keypoint_index,
    "keypoints": lambda: Reader([keypoints.pack(_points(count)) for count in (0, 1, 150)], keypoints.unpack),
    "manifest": _manifest,
    "metadata": metadata_reader,
    "pair": partial(_record, RECORD_KIND_PAIR),
    "picture": _picture,
    "product": partial(_record, RECORD_KIND_PRODUCT),
    "reference": partial(_record, RECORD_KIND_REFERENCE),
    "segment": _segment,
    "segment of any sender": _segment_of_any_sender,
    "token": _token,
}
