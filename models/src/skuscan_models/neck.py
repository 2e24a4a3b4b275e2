"""BNNeck: a batch norm between the projection and unit length, in training only.

Luo et al. 2019, "Bag of Tricks and a Strong Baseline for Deep Person Re-Identification", section 3.4: losses over
proxies like every component to vary alike, and a norm without an offset gives them that. At rest the norm is a factor
and an offset per component, so `fold` hides it in the projection and the bias: a device computes nothing more.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skuscan.errors import ModelError
from skuscan.model import EMBEDDING_SIZE, Head

EPSILON = 1e-5  # added to variances
MOMENTUM = 0.9  # of the moving mean and variance: runs are hundreds of steps, not hundreds of thousands

Array = npt.NDArray[np.float32]


def bn_neck(name: str) -> Any:
    """The layer, (n, 256) -> (n, 256); losses over proxies stand behind it, and so does unit length."""
    from keras import layers

    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, center=False, name=name)


def fold(head: Head, scale: Array, mean: Array, variance: Array) -> Head:
    """The head that gives, without a neck, what this head gives with one.

    Args:
        head: GeM, projection and bias in front of the neck.
        scale: (256,), gamma of the neck; it has no offset.
        mean: (256,), moving, of the neck.
        variance: (256,), moving, of the neck, >= 0.

    Returns:
        A head with the same pooling.

    Raises:
        ModelError: The neck's arrays are not of 256 components.
    """
    shapes = {scale.shape, mean.shape, variance.shape}
    if shapes != {(EMBEDDING_SIZE,)}:
        raise ModelError(f"a neck has {EMBEDDING_SIZE} components", ", ".join(map(str, sorted(shapes))))
    factor = scale / np.sqrt(variance + EPSILON)
    projection = (head.projection * factor).astype(np.float32)
    return replace(head, projection=projection, bias=((head.bias - mean) * factor).astype(np.float32))
