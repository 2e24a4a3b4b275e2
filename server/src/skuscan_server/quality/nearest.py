"""The references of other products that look like a reference: a search over embeddings in memory, no IO."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK_ROWS = 256  # rows compared at once: at 100,000 references a block takes 100 MB
ROWS_PER_SKU = 4  # rows looked at for each SKU to be found: a SKU may have several references

Links = dict[tuple[int, int], float]  # (row, row of another product that looks like it) -> cosine


@dataclass(frozen=True)
class NearOptions:
    """Which neighbours of a reference are kept: the nearest always, and of those that look alike the first few."""

    minimum_similarity: float  # cosine, from which two products look alike
    per_reference: int = 8  # products


@dataclass(frozen=True)
class Rows:
    """The references of a catalogue.

    Attributes:
        unit: (N, 256) float32, unit rows.
        skus: (N,) intp, equal for the references of one product.
        answers: (N,) intp, equal for the references of one product or group: they cannot be confused.
    """

    unit: npt.NDArray[np.float32]
    skus: npt.NDArray[np.intp]
    answers: npt.NDArray[np.intp]


def find_near(
    rows: Rows, pending: npt.NDArray[np.intp], best: npt.NDArray[np.float32], options: NearOptions
) -> Iterator[Links]:
    """Links of pending rows to all others, and of settled rows to pending ones, a block of pending rows at a time.

    Args:
        rows: All references.
        pending: (M,) row numbers whose neighbours are not known.
        best: (N,) the greatest similarity that is known of a settled row; of pending ones it is not looked at.
        options: What is kept.
    """
    if len(rows.skus) < 2:
        return
    settled = np.ones(len(rows.skus), np.bool_)
    settled[pending] = False
    known = np.where(settled, best, np.inf).astype(np.float32)
    for start in range(0, len(pending), BLOCK_ROWS):
        block = pending[start : start + BLOCK_ROWS]
        similarity = rows.unit[block] @ rows.unit.T
        similarity[rows.answers[block][:, None] == rows.answers] = -np.inf
        links: Links = {}
        for row, line in zip(block, similarity, strict=True):
            for other, value in _nearest(line, rows.skus, options):
                links[int(row), other] = value
                if settled[other] and value >= options.minimum_similarity:
                    links[other, int(row)] = value
        nearest, values = similarity.argmax(axis=0), similarity.max(axis=0)
        for row in np.flatnonzero(values > known):
            links[int(row), int(block[nearest[row]])] = float(values[row])
            known[row] = values[row]
        yield links


def _nearest(
    similarity: npt.NDArray[np.float32], skus: npt.NDArray[np.intp], options: NearOptions
) -> Iterator[tuple[int, float]]:
    """The best reference of each near product, the nearest first; the first one however far it is."""
    count = min(len(similarity), options.per_reference * ROWS_PER_SKU)
    columns = np.argpartition(similarity, len(similarity) - count)[-count:]
    seen: set[int] = set()
    for column in columns[np.argsort(-similarity[columns], kind="stable")]:
        value = float(similarity[column])
        if value == -np.inf or len(seen) == options.per_reference or (seen and value < options.minimum_similarity):
            return
        if skus[column] not in seen:
            seen.add(int(skus[column]))
            yield int(column), value
