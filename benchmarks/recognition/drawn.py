"""Drawn pictures for evaluations, kept as files between two runs. `rm -r build/evaluation/drawn` draws them anew."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from skuscan_models.synthetic.packaging import ProductDesign, draw_front

JPEG_QUALITY = 88

Draw = Callable[[], np.ndarray]  # (H, W, 3) uint8 RGB


def kept(path: Path, draw: Draw) -> Path:
    """A picture that is drawn once, as a JPEG."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        bgr = cv2.cvtColor(draw(), cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(data.tobytes())
        unfinished.replace(path)
    return path


def front_path(folder: Path, product: ProductDesign) -> Path:
    """Where a drawn catalogue picture is kept."""
    return folder / f"{product.seed}-{product.sku}.jpg"


def front_picture(folder: Path, product: ProductDesign) -> Path:
    """A drawn catalogue picture, drawn now if it is not there."""
    return kept(front_path(folder, product), lambda: draw_front(product))


def draw_fronts(folder: Path, products: Sequence[ProductDesign]) -> None:
    """A job: draw what is missing of some products."""
    for product in products:
        front_picture(folder, product)
