"""Which references look most like a scan: a layered search over int8 rows.

    base    every reference of the last full build; Annoy where its file and library are there, else an exact search
    delta   what came since, searched exactly
    minus   base rows that a delta replaced or withdrew

A layer proposes its nearest rows, rows of one SKU count once, and the layers' lists are merged. Similarities are the
same bits whatever index proposed a row, whatever the block size and whatever the processor: the query is rounded to a
grid on which every dot product with int8 rows is a whole number that float32 holds exactly, in any order of summation.
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
from skuscan.model import EMBEDDING_SIZE

# By Cauchy-Schwarz a dot product, or any part of its sum, is at most 127 * 16 (the longest int8 row) * 8,200 (the
# rounded query) < 2^24, below which float32 holds every whole number. The grid moves a similarity by about 4e-5, a
# tenth of what int8 rows do.
QUERY_GRID = 8192  # steps of a unit vector's length
BLOCK_ROWS = 4096  # rows turned into float32 at a time: 4 MiB, which stays in a processor's cache
ROWS_PER_SKU = 4  # rows first asked for, for each SKU wanted: a few references of each
GROWTH = 4  # times more rows are asked for when several references or withdrawn rows filled the list
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
    """Something that proposes rows."""

    @property
    def name(self) -> str:
        """What `status` shows."""

    def nearest(self, query: Query, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """Rows (n,) and similarities (n,), best first, then by row; n < count only when there are no more."""


class ExactIndex:
    """Cosine with every row, in blocks: the rows are never turned into float32 as a whole.

    Args:
        rows: (N, 256) int8, e.g. a memory map; kept, not copied.
    """

    name = "exact"

    def __init__(self, rows: npt.NDArray[np.int8]) -> None:
        self._rows = rows
        self._lengths = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), BLOCK_ROWS):
            stop = start + BLOCK_ROWS
            self._lengths[start:stop] = _lengths(rows[start:stop].astype(np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    def nearest(self, query: Query, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """See `Index`. Raises nothing; no rows give empty arrays."""
        dots = np.empty(len(self._rows), np.float32)
        for start in range(0, len(self._rows), BLOCK_ROWS):
            stop = start + BLOCK_ROWS
            dots[start:stop] = self._rows[start:stop].astype(np.float32) @ query.steps
        similarities = dots / self._lengths / query.length
        rows = largest(similarities, count)
        return rows, similarities[rows]


class AnnoyIndex:
    """Annoy proposes rows, which are then scored exactly.

    Args:
        path: A file of `build_annoy`, its digest checked by the caller: Annoy crashes on damaged files.
        rows: (N, 256) int8 that the file was built from.

    Raises:
        ImportError: Annoy is not installed.
        StoreError: The file belongs to other rows.
    """

    name = "annoy"

    def __init__(self, path: Path, rows: npt.NDArray[np.int8]) -> None:
        import annoy

        self._rows = rows
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
        if self._forest.get_n_items() != len(rows):
            raise StoreError(
                "an Annoy file has an item for each row of its base",
                f"{path}: {self._forest.get_n_items()} items for {len(rows)} rows",
                "sync again",
            )

    def nearest(self, query: Query, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """See `Index`; a row that Annoy misses is missing here."""
        nodes = max(ANNOY_SEARCH_NODES, count)
        found = self._forest.get_nns_by_vector(query.steps.tolist(), count, search_k=nodes)
        rows = np.sort(np.array(found, np.intp))
        block = self._rows[rows].astype(np.float32)
        similarities = block @ query.steps / _lengths(block) / query.length  # as ExactIndex computes them, bit for bit
        order = largest(similarities, count)
        return rows[order], similarities[order]


@dataclass(frozen=True)
class _Layer:
    """Rows of a catalogue that are searched together."""

    index: Index
    rows: npt.NDArray[np.int8]  # (n, 256)
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
            _Layer(ExactIndex(delta), delta, len(base), np.zeros(len(delta), np.bool_)),
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

        Its similarity is the mean of two: the best reference's, and that of the references' common direction. The
        first knows the side that the scan shows; the second forgets what one photo had by chance. With one reference
        both are its cosine.

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
        vectors = np.stack([self._vector(row) for row in rows])
        block = vectors.astype(np.float32)
        lengths = _lengths(block)
        similarities = block @ query.steps / lengths / query.length  # as ExactIndex computes them, bit for bit
        best = int(np.argmax(similarities))
        similarity = float(similarities[best])
        if len(rows) > 1:
            # Sums along the first axis add row by row, and `fsum` is exact: the same bits on every processor.
            direction = (vectors / lengths[:, np.newaxis].astype(np.float64)).sum(axis=0)
            length = math.sqrt(math.fsum((direction * direction).tolist())) or 1.0
            similarity = (similarity + math.fsum(similarities.tolist()) / length) / 2
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

    def _vector(self, row: int) -> npt.NDArray[np.int8]:
        """(256,) int8."""
        layer = next(layer for layer in reversed(self._layers) if row >= layer.first_row)
        return np.asarray(layer.rows[row - layer.first_row])

    def _search_layer(self, layer: _Layer, query: Query, skus: int) -> list[Neighbour]:
        """At most `skus` neighbours; asks for more rows until there are enough SKUs or no more rows."""
        count = skus * ROWS_PER_SKU
        while True:
            rows, similarities = layer.index.nearest(query, count)
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
        return ExactIndex(rows)
    try:
        return AnnoyIndex(annoy_file, rows)
    except ImportError:
        return ExactIndex(rows)


def _lengths(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n,) float32 of whole-number rows (n, 256); 1 for a row of zeros, whose similarity is 0 then."""
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
