"""The head of a backbone that it did not learn with: GeM pooling, and a projection fitted on pictures of products.

The projection is learned whitening (Mikolajczyk and Matas 2007, "Improving Descriptors for Fast Tree Matching by
Optimal Linear Projection"; Radenovic et al. 2018, section 3.4), that is, a discriminant analysis with shrinkage:
1. What differs between pictures of one product (angle, light, background, hand, blur) is whitened away.
2. Of what is left, the 256 directions in which products differ most are kept.
The mean is taken off through the bias. `docs/decisions/0021-the-head-is-learned-whitening.md` has what it is worth.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from skuscan.embedding import GEM_FLOOR
from skuscan.errors import ModelError
from skuscan.model import EMBEDDING_SIZE, Head

Array = npt.NDArray[np.float64]


def gem(feature_map: npt.NDArray[np.float32], exponent: float) -> npt.NDArray[np.float32]:
    """Generalised-mean pooling, as a device does it.

    Args:
        feature_map: (h, w, c).
        exponent: 1 is the mean; larger ones lean towards the maximum.

    Returns:
        (c,) float32.
    """
    powers = np.maximum(feature_map, GEM_FLOOR) ** np.float32(exponent)
    return np.asarray(powers.mean(axis=(0, 1)) ** np.float32(1 / exponent), np.float32)


def fit_head(pooled: npt.NDArray[np.float32], labels: Sequence[str], gem_p: float, shrinkage: float) -> Head:
    """Fit the projection.

    Args:
        pooled: (n, c) from `gem`.
        labels: n names of products; most have two pictures or more.
        gem_p: The exponent that they were pooled with.
        shrinkage: Added to every variance within products, in units of their mean: keeps directions that vary little
            by chance from being blown up.

    Raises:
        ModelError: Too few channels or products for 256 components, or no product with two pictures.
    """
    names, product = np.unique(np.asarray(labels), return_inverse=True)
    if pooled.shape[1] < EMBEDDING_SIZE or len(names) <= EMBEDDING_SIZE:
        received = f"{len(names)} products, {pooled.shape[1]} channels"
        raise ModelError(f"a head is fitted on more than {EMBEDDING_SIZE} products and channels", received)
    if len(pooled) == len(names):
        raise ModelError("a head is fitted on several pictures of a product", "one of each")
    features = pooled.astype(np.float64)
    mean = features.mean(axis=0)
    sums = np.zeros((len(names), features.shape[1]))
    np.add.at(sums, product, features)
    centres = sums / np.bincount(product)[:, np.newaxis]
    deviations = features - centres[product]
    whitening = _whitening(deviations.T @ deviations / (len(features) - len(names)), shrinkage)
    between = np.cov((centres - mean) @ whitening, rowvar=False)
    _, axes = np.linalg.eigh(between)
    projection = whitening @ axes[:, ::-1][:, :EMBEDDING_SIZE]
    everywhere = np.zeros(len(projection), np.float32)
    return Head(gem_p, projection.astype(np.float32), (-mean @ projection).astype(np.float32), everywhere)


def _whitening(within: Array, shrinkage: float) -> Array:
    variances, axes = np.linalg.eigh(within)
    return np.asarray(axes / np.sqrt(np.maximum(variances, 0) + shrinkage * variances.mean()))
