"""Search over int8 vectors: exact, or by Annoy.

Similarities are the same bits whatever index proposed a vector, whatever the block size and whatever the processor: the
query is rounded to a grid on which every dot product with int8 vectors is a whole number that float32 holds exactly, in
any order of summation.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from skuscan.annoy_file import ANNOY_METRIC
from skuscan.errors import StoreError
from skuscan.model import EMBEDDING_SIZE, REFERENCE_FILLS

# By Cauchy-Schwarz a dot product, or any part of its sum, is at most 127 * 16 (the longest int8 vector) * 8,200 (the
# rounded query) < 2^24, below which float32 holds every whole number. The grid moves a similarity by about 4e-5, a
# tenth of what int8 vectors do.
QUERY_GRID = 8192  # steps of a unit vector's length
BLOCK_VECTORS = 512  # vectors turned into float32 at a time: 512 KiB, which stay in a processor's cache
ANNOY_SEARCH_NODES = 20_000  # nodes that Annoy looks at
ANNOY_NODE_BYTES = 12 + 4 * EMBEDDING_SIZE  # annoylib.h, Angular::Node: a count, two children, the vector


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
        similarities = similarities_of(query, self._vectors[numbers])
        order = largest(similarities, count)
        return numbers[order], similarities[order]


def similarities_of(query: Query, vectors: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
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
