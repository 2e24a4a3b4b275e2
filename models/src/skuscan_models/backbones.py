"""Backbones by name: the one place where another network is added.

A builder takes the side of the square input and returns a Keras model that ends at the feature map. Pooling, projection
and unit length are the head's (`skuscan_models.heads`) and stay outside the int8 graph.
"""

from collections.abc import Callable
from typing import Any

from skuscan.errors import ModelError
from skuscan_models.efficientnet_lite import efficientnet_lite0

Backbone = Any  # a keras.Model: keras carries no types
INPUT_MULTIPLE = 32  # px; every backbone here halves its input five times

BACKBONES: dict[str, Callable[[int | None], Backbone]] = {
    "efficientnet-lite0": efficientnet_lite0,
}


def build_backbone(name: str, size: int | None) -> Backbone:
    """Build an untrained backbone.

    Args:
        name: A key of `BACKBONES`.
        size: Side of the square input, px; None for any multiple of 32, as in training.

    Returns:
        A `keras.Model`: (n, size, size, 3) float32 -> (n, h, w, c) float32.

    Raises:
        ModelError: The name is not known, or the size does not divide.
    """
    if name not in BACKBONES:
        raise ModelError(f"a backbone is one of {', '.join(sorted(BACKBONES))}", name)
    if size is not None and (size <= 0 or size % INPUT_MULTIPLE):
        raise ModelError(f"a backbone's input side is a positive multiple of {INPUT_MULTIPLE} px", f"{size} px")
    return BACKBONES[name](size)
