"""What happens to crops before the network is trained on them: other light, bent surfaces, covered strips, blur.

Drawn packages are flatter and registered better than real ones. So places of the scan are shifted by some pixels, in
waves and as a whole, and a strip of it is replaced by what belongs to another photo: a hand, the next face, a gap.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.likeness import SIDE

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator


@dataclass(frozen=True)
class Disturbance:
    """How much."""

    light: tuple[float, float] = (0.7, 1.3)  # a factor of all channels
    cast: float = 0.1  # of one channel, either way
    offset: float = 8.0  # grey levels, standard deviation
    moved: float = 0.75  # px, standard deviation of a corner's place
    bent: float = 0.75  # px, standard deviation of a wave's knots
    knots: int = 4  # of a wave, along a side
    covered: float = 0.2  # probability of a strip
    strip: tuple[float, float] = (0.06, 0.3)  # of the side
    blurred: float = 0.5  # probability

    def of_reference(self, crop: Picture, rng: Rng) -> Picture:
        """(128, 128, 3) uint8: other light."""
        return self._relit(crop, rng)

    def of_scan(self, crop: Picture, other: Picture, rng: Rng) -> Picture:
        """(128, 128, 3) uint8: other light, other places, perhaps a strip of another scan."""
        moved = self._moved(crop, rng)
        if rng.random() < self.covered:
            width = int(SIDE * rng.uniform(*self.strip))
            strip = slice(0, width) if rng.random() < 0.5 else slice(SIDE - width, SIDE)
            if rng.random() < 0.5:
                moved[strip] = other[strip]
            else:
                moved[:, strip] = other[:, strip]
        if rng.random() < self.blurred:
            moved = cv2.blur(moved, (3, 3)).astype(np.uint8, copy=False)
        return self._relit(moved, rng)

    def _relit(self, crop: Picture, rng: Rng) -> Picture:
        gains = rng.uniform(*self.light) * rng.uniform(1 - self.cast, 1 + self.cast, 3)
        offset = rng.normal(0, self.offset)
        table = np.clip(np.arange(256)[:, None] * gains + offset, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(crop, table[None]), np.uint8)

    def _moved(self, crop: Picture, rng: Rng) -> Picture:
        square = np.array([(0, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE)], np.float32)
        corners = (square + rng.normal(0, self.moved, (4, 2))).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(square, corners)
        grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=2).astype(np.float32)
        places = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), matrix).reshape(SIDE, SIDE, 2)
        wave = rng.normal(0, self.bent, (self.knots, self.knots, 2)).astype(np.float32)
        places = (places + cv2.resize(wave, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)).astype(np.float32)
        across, down = places[..., 0], places[..., 1]
        remapped = cv2.remap(crop, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(remapped, np.uint8)
