"""Which references look most like a scan: a search in layers.

    base    every reference of the last full build; Annoy where its file and library are there, else an exact search
    delta   what came since, searched exactly
    minus   base rows that a delta replaced or withdrew

A reference has two vectors, of its picture large and small, and the one that is more like the scan counts. A layer
proposes its nearest vectors, those of one SKU count once, and the layers' lists are merged.
"""

import bisect
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.catalogue import Catalogue
from skuscan.index import AnnoyIndex, ExactIndex, Index, Query, similarities_of
from skuscan.model import EMBEDDING_SIZE, REFERENCE_FILLS
from skuscan.whitening import Whitening

VECTORS_PER_SKU = 8  # first asked for, for each SKU wanted: those of a few references of each
GROWTH = 4  # times more are asked for when several references or withdrawn ones filled the list
ROWS_LOOKED_AT = 20_000  # references at most that say what differs between those of a product: bounds the time


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
        large pictures in the catalogue's whitened space (`whitening.py`). The first knows the side that the scan shows;
        the second forgets what one photo had by chance. With one reference it is that one's.

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
        similarities = similarities_of(query, _vectors(vectors)).reshape(vectors.shape[:2])
        best = int(np.argmax(similarities.max(axis=1)))
        similarity = float(similarities[best].max())
        if len(rows) > 1:
            similarity = (similarity + self._whitening.cosine(query.steps, vectors[:, 0])) / 2
        return Neighbour(found.sku, rows[best], similarity)

    @cached_property
    def _whitening(self) -> Whitening:
        """Made when the first product with several references is judged; twice by two threads, and then the same."""
        return Whitening.of(self._products())

    def _products(self) -> Iterator[npt.NDArray[np.int8]]:
        """(n, 256) int8 of large pictures for each product with several, by SKU: layers make no difference."""
        live = [
            ((self._sku_of_row(row), row) for row in (layer.first_row + np.flatnonzero(~layer.withdrawn)).tolist())
            for layer in self._layers
        ]
        for _, of_product in groupby(islice(heapq.merge(*live), ROWS_LOOKED_AT), key=lambda of_row: of_row[0]):
            rows = [row for _, row in of_product]
            if len(rows) > 1:
                yield np.stack([self._vectors_of(row)[0] for row in rows])

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
