"""How like a scan a product with several references is.

Photos of one product differ by light, background and side. What differs between the references of the catalogue's own
products shows in which directions, and there a difference between a scan and a product says little. So the space is
whitened until such differences are alike in all directions (Fisher's linear discriminant; Hariharan, Malik and Ramanan
2012, "Discriminative decorrelation for clustering and classification"), and a product stands in it by the common
direction of its references.

Few references say little of 256 directions, so what they say is mixed with no whitening at all, as if so many
references had said that.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from skuscan.model import EMBEDDING_SIZE

PRIOR_REFERENCES = 256  # for no whitening; on training pictures 64 to 1,024 do as well, docs/decisions/0160
PRODUCTS_AT_ONCE = 256  # one large matrix product is faster than many small ones
ROUNDING = 1e-12  # variance; one step of one component of int8 vectors is more
DECIMALS = 9  # of a cosine: processors sum in other orders, and differ by some 1e-15

Vectors = npt.NDArray[np.int8]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Whitening:
    """The whitened space of one catalogue.

    Attributes:
        inverse_covariance: (256, 256) float64, of what differs within products, up to a factor; the inner product of
            `a` and `b` is `a @ inverse_covariance @ b`.
    """

    inverse_covariance: Matrix

    @classmethod
    def of(cls, products: Iterable[Vectors], prior: int = PRIOR_REFERENCES) -> "Whitening":
        """By the references of products.

        Args:
            products: (n, 256) int8 for each product: its references' vectors, two or more.
            prior: How many references no whitening counts as.
        """
        scatter, known = np.zeros((EMBEDDING_SIZE, EMBEDDING_SIZE)), 0
        several = iter(products)
        while some := list(islice(several, PRODUCTS_AT_ONCE)):
            counts = np.array([len(vectors) for vectors in some])
            off = _directions(np.concatenate(some))
            sums = np.add.reduceat(off, np.cumsum(counts) - counts)
            off -= np.repeat(sums / counts[:, np.newaxis], counts, axis=0)
            scatter += off.T @ off
            known += len(off) - len(some)  # one of each is spent on the mean
        variance = np.trace(scatter) / (max(1, known) * EMBEDDING_SIZE)  # mean of all directions
        if variance < ROUNDING:  # no product has two, or all are of the same picture
            return cls(np.eye(EMBEDDING_SIZE))
        return cls(np.linalg.inv(scatter / variance + prior * np.eye(EMBEDDING_SIZE)))

    def cosine(self, query: npt.NDArray[np.float32], references: Vectors) -> float:
        """Of a scan and the common direction of a product's references, -1 to 1.

        Args:
            query: (256,) float32, of any length.
            references: (n, 256) int8.
        """
        scan, direction = query.astype(np.float64), _directions(references).sum(axis=0)
        whitened = self.inverse_covariance @ direction
        squares = float(scan @ self.inverse_covariance @ scan) * float(direction @ whitened)
        return round(float(scan @ whitened) / math.sqrt(squares), DECIMALS) if squares > 0 else 0.0


def _directions(vectors: Vectors) -> Matrix:
    """(n, 256) float64 of unit length; zeros stay."""
    rows = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return np.asarray(rows / np.where(lengths > 0, lengths, 1)[:, np.newaxis])
