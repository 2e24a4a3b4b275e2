"""Backbones by name: the one place where another network is added.

A backbone ends at its feature map. Pooling, projection and unit length are the head's (`skuscan_models.heads`) and stay
outside the int8 graph. There are ImageNet weights for EfficientNet-Lite0 only (`skuscan_models.pretrained`); the
MobileNets start untrained, which takes far more than fine-tuning to make up for.
"""

from typing import Any

from skuscan.errors import ModelError
from skuscan_models.efficientnet_lite import EFFICIENTNET_LITE0
from skuscan_models.inverted_residuals import Layout
from skuscan_models.mobilenet_v2 import MOBILENET_V2
from skuscan_models.mobilenet_v3 import MOBILENET_V3_LARGE, MOBILENET_V3_SMALL

Backbone = Any  # a keras.Model: keras carries no types
INPUT_MULTIPLE = 32  # px; every backbone here halves its input five times

BACKBONES: dict[str, Layout] = {
    layout.name: layout for layout in (EFFICIENTNET_LITE0, MOBILENET_V2, MOBILENET_V3_LARGE, MOBILENET_V3_SMALL)
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
    return BACKBONES[name].build(size)
