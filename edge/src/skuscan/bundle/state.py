"""The state digest: what a catalogue is, in 32 bytes, however a device came to it."""

import hashlib
from collections.abc import Iterable

from skuscan.proto.catalogue_pb2 import RecordKind

_KEY_LENGTH_BYTES = 4


def state_digest(entries: Iterable[tuple[RecordKind, str, bytes]]) -> bytes:
    """SHA-256 over every live record, 32 bytes.

    For each: the kind as one byte, the key's length as 4 bytes big endian, the key as UTF-8, the SHA-256 of the
    record's bytes as first published. Lengths stand before the keys, so no two states give the same input.

    Args:
        entries: (kind, key, SHA-256 of the record), strictly ascending by kind and key.

    Raises:
        ValueError: They are not in order, which the caller must see to.
    """
    digest = hashlib.sha256()
    last: tuple[int, str] = (0, "")
    for kind, key, sha256 in entries:
        if (kind, key) <= last:
            raise ValueError(f"entries of a state digest ascend by kind and key; {key!r} came after {last[1]!r}")
        last = (kind, key)
        name = key.encode()
        digest.update(bytes([kind]) + len(name).to_bytes(_KEY_LENGTH_BYTES, "big") + name + sha256)
    return digest.digest()
