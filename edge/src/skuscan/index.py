"""Which references look most like a scan: a layered search over int8 rows.

    base    every reference of the last full build; Annoy where its file and library are there, else an exact search
    delta   what came since, searched exactly
    minus   base rows that a delta replaced or withdrew

A reference has two vectors, of its picture large and small, and the one that is more like the scan counts. A layer
proposes its nearest vectors, those of one SKU count once, and the layers' lists are merged. Similarities are the same
bits whatever index proposed a row, whatever the block size and whatever the processor: the query is rounded to a grid
on which every dot product with int8 vectors is a whole number that float32 holds exactly, in any order of summation.
"""

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from skuscan.annoy_file import ANNOY_METRIC
from skuscan.catalogue import Catalogue
from skuscan.errors import StoreError
from skuscan.model import EMBEDDING_SIZE, REFERENCE_FILLS

# By Cauchy-Schwarz a dot product, or any part of its sum, is at most 127 * 16 (the longest int8 vector) * 8,200 (the
# rounded query) < 2^24, below which float32 holds every whole number. The grid moves a similarity by about 4e-5, a
# tenth of what int8 vectors do.
QUERY_GRID = 8192  # steps of a unit vector's length
BLOCK_VECTORS = 512  # vectors turned into float32 at a time: 512 KiB, which stay in a processor's cache
VECTORS_PER_SKU = 8  # first asked for, for each SKU wanted: those of a few references of each
GROWTH = 4  # times more are asked for when several references or withdrawn ones filled the list
ANNOY_SEARCH_NODES = 20_000  # nodes that Annoy looks at
ANNOY_NODE_BYTES = 12 + 4 * EMBEDDING_SIZE  # annoylib.h, Angular::Node: a count, two children, the vector


@dataclass(frozen=True)
class Neighbour:
    """A SKU, its reference that is most like the scan, and how like the scan it is.

    Attributes:
        sku: Its key.
        row: Of that reference, in the catalogue.
        similarity: -1 to 1; of one reference its cosine, of several see `LayeredIndex.judge`.
    """

    sku: str
    row: int
    similarity: float


@dataclass(frozen=True)
class Query:
    """A scan's vector on the grid of whole numbers.

    Attributes:
        steps: (256,) float32, whole numbers.
        length: Their Euclidean length; 1 for a vector of zeros.
    """

    steps: npt.NDArray[np.float32]
    length: np.float32

    @classmethod
    def of(cls, vector: npt.NDArray[np.float32]) -> "Query":
        """`vector`: (256,) float32 of unit length, or zeros."""
        steps = np.rint(vector.astype(np.float64) * QUERY_GRID)
        return cls(steps.astype(np.float32), np.float32(np.sqrt((steps * steps).sum()) or 1))


class Index(Protocol):
    """Something that proposes vectors."""

    @property
    def name(self) -> str:
        """What `status` shows."""

    def nearest(self, query: Query, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """Numbers (n,) and similarities (n,), best first, then by number; n < count only when there are no more."""


class ExactIndex:
    """Cosine with every vector, in blocks: they are never turned into float32 as a whole.

    Args:
        vectors: (N, 256) int8, e.g. of a memory map; kept, not copied.
    """

    name = "exact"

    def __init__(self, vectors: npt.NDArray[np.int8]) -> None:
        self._vectors = vectors
        self._lengths = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), BLOCK_VECTORS):
            stop = start + BLOCK_VECTORS
            self._lengths[start:stop] = _lengths(vectors[start:stop].astype(np.float32))

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(self, query: Query, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """See `Index`. Raises nothing; no vectors give empty arrays."""
        dots = np.empty(len(self._vectors), np.float32)
        block = np.empty((BLOCK_VECTORS, self._vectors.shape[1]), np.float32)  # one for all: fresh memory costs more
        for start in range(0, len(self._vectors), BLOCK_VECTORS):
            some = self._vectors[start : start + BLOCK_VECTORS]
            block[: len(some)] = some
            np.dot(block[: len(some)], query.steps, out=dots[start : start + len(some)])
        similarities = dots / self._lengths / query.length
        numbers = largest(similarities, count)
        return numbers, similarities[numbers]


class AnnoyIndex:
    """Annoy proposes vectors, which are then scored exactly.

    Args:
        path: A file of `build_annoy`, its digest checked by the caller: Annoy crashes on damaged files.
        vectors: (N, 256) int8 that the file was built from, those of a row one after another.

    Raises:
        ImportError: Annoy is not installed.
        StoreError: The file belongs to others.
    """

    name = "annoy"

    def __init__(self, path: Path, vectors: npt.NDArray[np.int8]) -> None:
        import annoy

        self._vectors = vectors
        self._forest = annoy.AnnoyIndex(EMBEDDING_SIZE, ANNOY_METRIC)
        size = path.stat().st_size if path.is_file() else 0
        if size == 0 or size % ANNOY_NODE_BYTES:
            raise StoreError(
                f"an Annoy file holds whole nodes of {ANNOY_NODE_BYTES} bytes", f"{path}: {size} bytes", "sync again"
            )
        try:
            self._forest.load(str(path))
        except OSError as error:
            raise StoreError("an Annoy file can be read", f"{path}: {error}") from error
        if self._forest.get_n_items() != len(vectors):
            raise StoreError(
                "an Annoy file has an item for each vector of its base",
                f"{path}: {self._forest.get_n_items()} items for {len(vectors)} vectors",
                "sync again",
            )

    def nearest(self, query: Query, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """See `Index`; a row of which Annoy misses both vectors is missing here."""
        nodes = max(ANNOY_SEARCH_NODES, count)
        found = self._forest.get_nns_by_vector(query.steps.tolist(), count, search_k=nodes)
        rows, sizes = np.unique(np.array(found, np.intp) // len(REFERENCE_FILLS)), np.arange(len(REFERENCE_FILLS))
        numbers = (rows[:, np.newaxis] * len(REFERENCE_FILLS) + sizes).ravel()
        similarities = _similarities(query, self._vectors[numbers])
        order = largest(similarities, count)
        return numbers[order], similarities[order]


@dataclass(frozen=True)
class _Layer:
    """Rows of a catalogue that are searched together."""

    index: Index  # of the vectors of the rows, one row's after the other's
    rows: npt.NDArray[np.int8]  # (n, 2, 256)
    first_row: int  # of the catalogue
    withdrawn: npt.NDArray[np.bool_]  # (n,)


class LayeredIndex:
    """Base + delta - withdrawn rows of one catalogue. Immutable, safe in any thread."""

    def __init__(self, layers: Sequence[_Layer], sku_of_row: Callable[[int], str]) -> None:
        """Use `LayeredIndex.open`."""
        self._layers = tuple(layers)
        self._sku_of_row = sku_of_row
        self.name = layers[0].index.name

    @classmethod
    def open(cls, catalogue: Catalogue) -> "LayeredIndex":
        """Open a catalogue's index. Raises StoreError when its Annoy file belongs to another base."""
        base, delta = catalogue.base_embeddings, catalogue.delta_embeddings
        layers = (
            _Layer(_open_base(catalogue.annoy_file, base), base, 0, catalogue.withdrawn),
            _Layer(ExactIndex(_vectors(delta)), delta, len(base), np.zeros(len(delta), np.bool_)),
        )
        return cls(layers, catalogue.sku_of_row)

    def search(self, vector: npt.NDArray[np.float32], skus: int) -> list[Neighbour]:
        """The nearest SKUs.

        They are found by their best references; those with several are then judged by all of them, see `judge`.

        Args:
            vector: (256,) float32 of unit length.
            skus: At most so many, 1 or more.

        Returns:
            Neighbours sorted by falling similarity, then by SKU; empty for an empty catalogue.
        """
        query = Query.of(vector)
        best: dict[str, Neighbour] = {}
        for layer in self._layers:
            for found in self._search_layer(layer, query, skus):
                known = best.get(found.sku)
                if known is None or found.similarity > known.similarity:
                    best[found.sku] = found
        nearest = sorted(best.values(), key=_by_similarity)[:skus]
        return sorted((self._judged(query, found) for found in nearest), key=_by_similarity)

    def judge(self, vector: npt.NDArray[np.float32], row: int) -> Neighbour:
        """The SKU of a row, by all its references.

        Its similarity is the mean of two: the best reference's, and that of the common direction of the references'
        large pictures. The first knows the side that the scan shows; the second forgets what one photo had by chance.
        With one reference it is that one's.

        Args:
            vector: (256,) float32 of unit length.
            row: A live row of the catalogue.
        """
        query, sku = Query.of(vector), self._sku_of_row(row)
        return self._judged(query, Neighbour(sku, row, 0.0), look_up=True)

    def _judged(self, query: Query, found: Neighbour, look_up: bool = False) -> Neighbour:
        """`found` by all its references; its similarity holds when it has one, unless it is to be looked up."""
        rows = self._rows_of(found.sku, found.row)
        if len(rows) == 1 and not look_up:
            return found
        vectors = np.stack([self._vectors_of(row) for row in rows])
        similarities = _similarities(query, _vectors(vectors)).reshape(vectors.shape[:2])
        best = int(np.argmax(similarities.max(axis=1)))
        similarity = float(similarities[best].max())
        if len(rows) > 1:
            # Sums along the first axis add row by row, and `fsum` is exact: the same bits on every processor.
            large = vectors[:, 0].astype(np.float64)
            direction = (large / _lengths(vectors[:, 0].astype(np.float32))[:, np.newaxis]).sum(axis=0)
            length = math.sqrt(math.fsum((direction * direction).tolist())) or 1.0
            similarity = (similarity + math.fsum(similarities[:, 0].tolist()) / length) / 2
        return Neighbour(found.sku, rows[best], similarity)

    def _rows_of(self, sku: str, row: int) -> list[int]:
        """The live rows of a SKU, given one of them: a layer has them side by side."""
        rows = []
        for layer in self._layers:
            at = row - layer.first_row
            if not 0 <= at < len(layer.rows):
                numbers = range(layer.first_row, layer.first_row + len(layer.rows))
                at = bisect.bisect_left(numbers, sku, key=self._sku_of_row)
            start = stop = at
            while start > 0 and self._sku_of_row(layer.first_row + start - 1) == sku:
                start -= 1
            while stop < len(layer.rows) and self._sku_of_row(layer.first_row + stop) == sku:
                stop += 1
            rows += [layer.first_row + number for number in range(start, stop) if not layer.withdrawn[number]]
        return rows

    def _vectors_of(self, row: int) -> npt.NDArray[np.int8]:
        """(2, 256) int8."""
        layer = next(layer for layer in reversed(self._layers) if row >= layer.first_row)
        return np.asarray(layer.rows[row - layer.first_row])

    def _search_layer(self, layer: _Layer, query: Query, skus: int) -> list[Neighbour]:
        """At most `skus` neighbours; asks for more vectors until there are enough SKUs or no more vectors."""
        count = skus * VECTORS_PER_SKU
        while True:
            numbers, similarities = layer.index.nearest(query, count)
            rows = numbers // len(REFERENCE_FILLS)
            best: dict[str, Neighbour] = {}
            for row, similarity in zip(rows.tolist(), similarities.tolist(), strict=True):
                if layer.withdrawn[row]:
                    continue
                sku = self._sku_of_row(layer.first_row + row)
                if sku not in best:
                    best[sku] = Neighbour(sku, layer.first_row + row, similarity)
                    if len(best) == skus:
                        break
            if len(best) == skus or len(rows) < count:
                return list(best.values())
            count *= GROWTH


def _by_similarity(neighbour: Neighbour) -> tuple[float, str]:
    return -neighbour.similarity, neighbour.sku


def _open_base(annoy_file: Path | None, rows: npt.NDArray[np.int8]) -> Index:
    if annoy_file is None:
        return ExactIndex(_vectors(rows))
    try:
        return AnnoyIndex(annoy_file, _vectors(rows))
    except ImportError:
        return ExactIndex(_vectors(rows))


def _vectors(rows: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """(n, 2, 256) int8 -> (2 n, 256)."""
    return rows.reshape(-1, EMBEDDING_SIZE)


def _similarities(query: Query, vectors: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """(n,) float32: of vectors (n, 256), as `ExactIndex` computes them, bit for bit."""
    block = vectors.astype(np.float32)
    return np.asarray(block @ query.steps / _lengths(block) / query.length)


def _lengths(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n,) float32 of whole-number vectors (n, 256); 1 for one of zeros, whose similarity is 0 then."""
    squares = np.einsum("ij,ij->i", block, block)  # at most 256 * 127^2 < 2^24: exact
    return np.sqrt(np.where(squares > 0, squares, np.float32(1)))


def largest(values: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    """Positions (n,) of the `count` largest of values (N,), largest first; of equal ones the first, in order."""
    if not count:
        chosen = np.arange(0)
    elif count < len(values):
        least = np.partition(values, len(values) - count)[len(values) - count]
        above = np.flatnonzero(values > least)
        chosen = np.concatenate([above, np.flatnonzero(values == least)[: count - len(above)]])
    else:
        chosen = np.arange(len(values))
    return np.asarray(chosen[np.argsort(-values[chosen], kind="stable")])
