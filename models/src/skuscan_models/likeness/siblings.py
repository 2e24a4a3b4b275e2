"""A made sibling of a real package: another colour way of a part, or another print on a band or a panel."""

import cv2
import numpy as np
import numpy.typing as npt

PANEL_WIDTH, PANEL_HEIGHT = (0.2, 0.7), (0.08, 0.35)  # share of the sides
BAND_HEIGHT = (0.1, 0.3)
HUES = (20, 160)  # steps of 180 by which a colour way is turned

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator


def made_sibling(front: Picture, other: Picture, rng: Rng) -> Picture:
    """The front with something else in one place.

    Args:
        front: (H, W, 3) uint8 RGB.
        other: (H', W', 3) uint8 RGB, whose print may stand there instead.
        rng: Source of every choice.
    """
    sibling = front.copy()
    rows, columns = _place(front.shape[0], front.shape[1], rng)
    if rng.random() < 0.3:
        hsv = cv2.cvtColor(sibling[rows, columns], cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + rng.integers(*HUES)) % 180
        sibling[rows, columns] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    else:
        fitted = cv2.resize(other, front.shape[1::-1], interpolation=cv2.INTER_AREA)
        sibling[rows, columns] = fitted[rows, columns]
    return sibling


def _place(height: int, width: int, rng: Rng) -> tuple[slice, slice]:
    if rng.random() < 0.25:
        rows, columns = round(height * rng.uniform(*BAND_HEIGHT)), width
    else:
        rows, columns = round(height * rng.uniform(*PANEL_HEIGHT)), round(width * rng.uniform(*PANEL_WIDTH))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return slice(top, top + max(1, rows)), slice(left, left + max(1, columns))
