"""Which references share printed detail with a scan, whatever the embedding thinks: keypoints in inverted files.

1. A keypoint's *word* in one table is a fixed sample of its descriptor's bits; the table lists the keypoints of each
   word. Tables with samples of their own find each other's losses where a few bits differ (Indyk and Motwani 1998,
   "Approximate nearest neighbors"). Nothing is trained, so nothing has to fit the catalogue.
2. A scan's keypoints vote for the references in their lists. A crowded list says little and its votes weigh less; one
   beyond a limit is passed over.
3. Votes are counted by how far a keypoint has turned, and only those of one turn count together (Jegou et al. 2008,
   "Hamming embedding and weak geometric consistency"): chance votes are spread over all turns.

An index is one block of bytes, the same on a disk, in a memory map and in memory. No IO.
"""

import itertools
import math
import struct
from collections.abc import Iterable, Iterator
from random import Random

import numpy as np
import numpy.typing as npt

from skuscan.descriptors import DESCRIPTOR_BYTES
from skuscan.errors import StoreError
from skuscan.keypoints import Keypoints

TABLES = 5
INDEXED_KEYPOINTS = 100  # of a reference, its best
KEYPOINTS_PER_WORD = 4  # on average: as many bits are sampled as give that
LEAST_BITS, MOST_BITS = 8, 20  # of a word
CROWDED = 100  # keypoints of one word: what more have in common is printed everywhere
TURNS = 16  # directions by which votes are counted
SEED = 7  # of the choice of bits

_MAGIC = b"skkp"
_HEADER = struct.Struct("<4sIIII")  # magic, tables, bits, references, keypoints
_DESCRIPTOR_BITS = 8 * DESCRIPTOR_BYTES
_ALIGNMENT = 4  # bytes
_BATCH = 256  # references whose words are computed at once
_BLOCK = 1 << 14  # words whose beginnings are looked up at once: there may be more words than keypoints
_PLACE_BITS = np.uint64(32)  # of a keypoint's place, below its word, while they are sorted
_SHORT_ROWS = 1 << 16  # references that two bytes can number

Rows = npt.NDArray[np.intp]
Votes = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


class KeypointIndex:
    """Inverted files over the keypoints of references 0 .. N-1. Immutable, safe in any thread.

    Args:
        data: (n,) uint8 as `build_keypoint_index` made them, e.g. a memory map; kept, not copied. The caller has
            checked their digest.

    Attributes:
        bits: Of a word.

    Raises:
        StoreError: They are something else.
    """

    def __init__(self, data: Bytes) -> None:
        if len(data) < _HEADER.size or bytes(data[:4]) != _MAGIC:
            raise StoreError("a keypoint index has its own format", f"{len(data)} bytes of another", "sync again")
        _, tables, self.bits, self._references, keypoints = _HEADER.unpack(bytes(data[: _HEADER.size]))
        if self.bits > MOST_BITS:
            raise StoreError(f"a keypoint index's words have at most {MOST_BITS} bits", f"{self.bits}", "sync again")
        words, wide = (1 << self.bits) + 1, _row_type(self._references)
        parts = (
            ("u1", tables * self.bits),
            ("<u4", tables * words),
            (wide, tables * keypoints),
            ("u1", tables * keypoints),
        )
        if len(data) != _HEADER.size + sum(_padded(np.dtype(kind).itemsize * count) for kind, count in parts):
            raise StoreError("a keypoint index has the length its header says", f"{len(data)} bytes", "sync again")
        found, start = [], _HEADER.size
        for kind, count in parts:
            size = np.dtype(kind).itemsize * count
            found.append(data[start : start + size].view(kind))
            start += _padded(size)
        # (tables, bits); (tables * words,) where a word's keypoints begin; their references; their turns
        self._sampled, self._starts, self._rows, self._turns = found[0].reshape(tables, self.bits), *found[1:]

    def __len__(self) -> int:
        return int(self._references)

    def votes(self, query: Keypoints) -> Votes:
        """(N,) float32: how much of a scan's printed detail each reference shares, without a unit.

        Args:
            query: The scan's keypoints, of the references' feature space.
        """
        if not self._references:  # a delta, most days
            return np.zeros(0, np.float32)
        table_words = np.arange(len(self._sampled)) * ((1 << self.bits) + 1)
        words = (_words(query.descriptors, self._sampled) + table_words).ravel()  # (Q * tables,)
        # Words and keypoints are numbered through all tables, so one look-up serves them all.
        first = self._starts[words].astype(np.intp)
        counts = self._starts[words + 1].astype(np.intp) - first
        kept = np.flatnonzero((counts > 0) & (counts <= CROWDED))
        first, counts = first[kept], counts[kept]
        listed = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        turns = np.repeat(_turns(query.angles)[kept // len(self._sampled)], counts) - self._turns[listed]  # wraps
        places = turns % np.uint8(TURNS) * np.intp(self._references) + self._rows[listed]
        weights = np.repeat(1 / np.sqrt(counts), counts)
        # Turn by turn: numpy reduces the first axis several times as fast as one of sixteen numbers.
        turned = np.bincount(places, weights, TURNS * self._references).reshape(TURNS, -1)
        most = turned[-1] + turned[0]  # one turn and the next
        for one, following in itertools.pairwise(turned):
            np.maximum(most, one + following, out=most)
        return np.asarray(most, np.float32)


def word_bits(references: int) -> int:
    """The bits of a word that suit a catalogue of so many references; layers of one catalogue share them."""
    words = references * INDEXED_KEYPOINTS / KEYPOINTS_PER_WORD
    return min(max(round(math.log2(max(words, 1))), LEAST_BITS), MOST_BITS)


def index_in_memory(references: Iterable[Keypoints], count: int) -> "KeypointIndex":
    """An index over a whole catalogue of so many references, for those who keep no files."""
    data = build_keypoint_index(references, count, word_bits(count))
    return KeypointIndex(np.frombuffer(data, np.uint8))


def build_keypoint_index(references: Iterable[Keypoints], count: int, bits: int) -> bytes:
    """The index over references, numbered as they come; see `keypoint_index_blocks`."""
    return b"".join(keypoint_index_blocks(references, count, bits))


def keypoint_index_blocks(references: Iterable[Keypoints], count: int, bits: int) -> Iterator[bytes]:
    """The index over references, numbered as they come, block by block.

    Memory: 4 bytes for each keypoint and table, and 12 for each keypoint while one table is sorted; the references are
    let go as they come.

    Args:
        references: Each with its best keypoints first; one without keypoints is never voted for.
        count: Of the references.
        bits: Of a word, `LEAST_BITS` to `MOST_BITS`.

    Returns:
        The same bytes for the same references, on every machine.
    """
    draw = Random(SEED)
    sampled = np.array([draw.sample(range(_DESCRIPTOR_BITS), bits) for _ in range(TABLES)], np.uint8)
    words, turns, counts = _gather(references, count, sampled)
    yield _HEADER.pack(_MAGIC, TABLES, bits, len(counts), len(turns))
    yield sampled.tobytes().ljust(_padded(sampled.nbytes), b"\0")
    for table, of_table in enumerate(words):
        yield from _order(of_table, bits, table * len(turns))
    rows = np.repeat(np.arange(len(counts), dtype=_row_type(len(counts))), counts)
    for listed in (rows, turns):
        yield from (listed[order].tobytes() for order in words)
        size = TABLES * listed.nbytes
        yield bytes(_padded(size) - size)


def index_bytes(references: int, bits: int) -> int:
    """The length of an index over so many references, at most."""
    keypoints = references * INDEXED_KEYPOINTS
    each = TABLES * keypoints * (np.dtype(_row_type(references)).itemsize + 1)
    return _HEADER.size + TABLES * (bits + 4 * ((1 << bits) + 1)) + each + 3 * _ALIGNMENT


def _gather(
    references: Iterable[Keypoints], count: int, sampled: Bytes
) -> tuple[npt.NDArray[np.uint32], Bytes, list[int]]:
    """Words (tables, n) uint32, turns (n,) uint8, and how many keypoints each reference has."""
    # Room for all at once: what grows is moved about, and leaves holes in memory several times its size.
    words = np.empty((len(sampled), count * INDEXED_KEYPOINTS), "<u4")
    turns, counts, end = np.empty(count * INDEXED_KEYPOINTS, np.uint8), list[int](), 0
    waiting = iter(references)
    while batch := list(itertools.islice(waiting, _BATCH)):
        found = _words(np.concatenate([known.descriptors[:INDEXED_KEYPOINTS] for known in batch]), sampled)
        start, end = end, end + len(found)
        words[:, start:end] = found.T
        turns[start:end] = _turns(np.concatenate([known.angles[:INDEXED_KEYPOINTS] for known in batch]))
        counts += [min(len(known), INDEXED_KEYPOINTS) for known in batch]
    return words[:, :end], turns[:end], counts


def _order(words: npt.NDArray[np.uint32], bits: int, before: int) -> Iterator[bytes]:
    """Where each word's keypoints begin, block by block; then the stable order of (n,) words is in their place."""
    pairs = np.empty((len(words), 2), "<u4")  # a place below its word: equal words stay in their order
    pairs[:, 0], pairs[:, 1] = np.arange(len(words), dtype=np.uint32), words
    places = pairs.view("<u8")[:, 0]
    places.sort()
    end = (1 << bits) + 1
    for first in range(0, end, _BLOCK):
        block = np.arange(first, min(first + _BLOCK, end), dtype=np.uint64) << _PLACE_BITS
        yield (np.searchsorted(places, block) + before).astype("<u4").tobytes()
    words[:] = pairs[:, 0]


def _words(descriptors: Bytes, sampled: Bytes) -> Rows:
    """(n, tables) intp: the words of descriptors (n, 20) for samples (tables, bits)."""
    bits = np.unpackbits(descriptors, axis=1)[:, sampled.ravel()].reshape(-1, *sampled.shape)
    places = np.float32(2) ** np.arange(sampled.shape[1], dtype=np.float32)  # their sums are exact below 2^24
    return np.asarray(bits.astype(np.float32) @ places).astype(np.intp)


def _turns(angles: npt.NDArray[np.float32]) -> Bytes:
    """(n,) uint8: angles in degrees as steps of a `TURNS`-th of a turn."""
    return (angles * np.float32(TURNS / 360)).astype(np.uint8) % np.uint8(TURNS)


def _row_type(references: int) -> str:
    return "<u2" if references <= _SHORT_ROWS else "<u4"


def _padded(size: int) -> int:
    return size + -size % _ALIGNMENT
