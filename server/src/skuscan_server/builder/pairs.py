"""Which SKUs are easily confused: those with a pair of references whose embeddings are close.

Only SKUs whose references changed are compared with all others; the other pairs stay as they were published. So a
small change costs little, and a pair's record does not change without need.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from skuscan_server.builder.vectors import Vectors

SIMILARITY_DECIMALS = 3  # kernels of two machines differ behind that
MARGIN_DECIMALS = 2  # likewise
ROWS_PER_SKU = 4  # rows looked at for each SKU to be found: a SKU may have several references
BLOCK_ROWS = 256  # rows compared at once: at 100,000 references a block takes 100 MB


@dataclass(frozen=True)
class PairOptions:
    """What makes two SKUs a pair."""

    minimum_similarity: float = 0.70  # cosine; one pair in 10,000 of unrelated package scans has it (seen once)
    per_sku: int = 8  # nearest SKUs that a SKU is paired with


@dataclass(frozen=True)
class SimilarPair:
    """Two SKUs that are easily confused.

    Attributes:
        sku_a: Bytewise the lower one.
        sku_b: The other.
        similarity: Cosine of their nearest references.
        minimum_margin: As in `Pair`; 0: the model's own.
    """

    sku_a: str
    sku_b: str
    similarity: float
    minimum_margin: float = 0.0


def find_pairs(
    vectors: Vectors, changed: set[str], kept: Iterable[SimilarPair], options: PairOptions
) -> list[SimilarPair]:
    """The pairs of an assortment.

    Args:
        vectors: All of its references.
        changed: SKUs whose references are new or changed.
        kept: The pairs published before; those of two unchanged SKUs stay.
        options: What makes a pair.

    Returns:
        Pairs sorted by their SKUs.
    """
    live = set(vectors.skus)
    pairs = {(pair.sku_a, pair.sku_b): pair for pair in kept if {pair.sku_a, pair.sku_b} <= live - changed}
    nearest: dict[str, dict[str, float]] = {}
    for sku, other, similarity in _similar_rows(vectors, changed, options):
        known = nearest.setdefault(sku, {})
        known[other] = max(similarity, known.get(other, -1.0))
    for sku, others in nearest.items():
        best = sorted(others.items(), key=lambda item: (-item[1], item[0]))[: options.per_sku]
        for other, similarity in best:
            sku_a, sku_b = sorted((sku, other))
            pairs[sku_a, sku_b] = SimilarPair(sku_a, sku_b, round(similarity, SIMILARITY_DECIMALS))
    return [pairs[key] for key in sorted(pairs)]


def _similar_rows(vectors: Vectors, changed: set[str], options: PairOptions) -> Iterator[tuple[str, str, float]]:
    """(SKU, other SKU, cosine) for the nearest rows of other SKUs of each row of a changed SKU."""
    skus = np.array(vectors.skus, dtype=object)
    if len(skus) < 2:
        return
    codes = np.unique(skus, return_inverse=True)[1]
    unit = vectors.large()
    rows = np.flatnonzero(np.isin(skus, list(changed)))
    nearest = min(len(skus) - 1, options.per_sku * ROWS_PER_SKU)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        similarity = unit[block] @ unit.T
        similarity[codes[block][:, None] == codes[None, :]] = -1.0
        close = similarity >= options.minimum_similarity
        for position in np.flatnonzero(close.sum(axis=1) > nearest):  # few are: choosing costs more than comparing
            close[position] = False
            close[position, np.argpartition(-similarity[position], nearest - 1)[:nearest]] = True
        for position, other in np.argwhere(close):
            yield skus[block[position]], skus[other], float(similarity[position, other])
