"""Where in a picture the network sees something: the part that a closer look takes.

A product that fills a third of a photo is lost among its surroundings, and yet the network's feature map says where it
is: its channels are excited there. So nothing has to be trained to find it (Zhou et al. 2016, "Learning deep features
for discriminative localization", find objects by a classifier's map).
"""

import numpy as np
import numpy.typing as npt

SMALL_SHARE = 0.3  # of a picture's area: nearly all parts are more where a product fills a photo; docs/decisions/0161
REACH = 1.75  # standard deviations of what is excited, from its middle to the part's edge; see docs/decisions/0161
_FLOOR_PERCENT = 30  # percent of the map's places that are background, whatever they hold
_LEAST_SIDE = 16  # px of a part; a smaller one is no picture

Box = tuple[int, int, int, int]


def excited_part(feature_map: npt.NDArray[np.float32], height: int, width: int) -> Box:
    """The box around what excites a network.

    Args:
        feature_map: (s, s, c) float32, of the picture in its letterbox.
        height: px, of the picture.
        width: px.

    Returns:
        Left, top, right and bottom, px of the picture; all of it where nothing stands out.
    """
    cells, longest = feature_map.shape[0], max(height, width)
    middles = (np.arange(cells) + 0.5) * (longest / cells)
    x, y = middles - (longest - width) / 2, middles - (longest - height) / 2
    inside = ((y > 0) & (y < height))[:, np.newaxis] & ((x > 0) & (x < width))
    if not inside.any():  # a strip between two rows of cells
        return 0, 0, width, height
    positive = np.maximum(feature_map, 0)
    energy = (positive * positive * positive).mean(axis=2)  # as GeM weighs it
    energy = np.where(inside, np.maximum(energy - np.percentile(energy[inside], _FLOOR_PERCENT), 0), 0)
    total = energy.sum()
    if total <= 0:
        return 0, 0, width, height
    left, right = _reached(x, energy.sum(axis=0) / total, width)
    top, bottom = _reached(y, energy.sum(axis=1) / total, height)
    if min(right - left, bottom - top) < _LEAST_SIDE:
        return 0, 0, width, height
    return left, top, right, bottom


def is_small(part: Box, height: int, width: int) -> bool:
    """Whether a part of a picture of that size shows more of what is there than all of it does."""
    left, top, right, bottom = part
    return (right - left) * (bottom - top) < SMALL_SHARE * height * width


def _reached(places: npt.NDArray[np.float64], share: npt.NDArray[np.float32], side: int) -> tuple[int, int]:
    """From where to where along a side of so many pixels."""
    middle = share @ places
    deviation = np.sqrt(share @ (places - middle) ** 2)
    low, high = np.clip(np.rint([middle - REACH * deviation, middle + REACH * deviation]), 0, side).astype(int)
    return int(low), int(high)
