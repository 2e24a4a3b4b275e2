"""The two pictures of a pair: a catalogue-like view, and a field view of the same product.

A front (a scan, a drawn package) gets both drawn. Of photos, two different ones are taken, each varied a little: real
light and real cameras are what drawn views lack.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.picture import fit_longest_side, letterbox
from skuscan_models.synthetic.camera import Span
from skuscan_models.synthetic.field_view import draw_field_view, packshot
from skuscan_models.synthetic.view_options import EASY, HARD, USUAL, FieldViewOptions
from skuscan_models.training.config import ViewOptions

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator

_FRAME_SHARE = 1.15  # longest side of a drawn photo over the network's input
_SHORT_SIDES = (0.56, 0.75, 0.75, 1.0)  # of the longest: what phones and kiosk cameras take
_CAMERA_SIDE = 640  # px: blur in the options is meant at this longest side
_CATALOGUE_FILL = (0.72, 1.0)  # of the square, by a package on a plain background
_CATALOGUE_TURN = 3.0  # degrees
_WHITE, _ON_WHITE = 255, 0.75  # share of catalogue pictures on white
_LIGHT, _CONTRAST, _CAST = (0.82, 1.15), (0.85, 1.15), 0.05  # of a catalogue picture or a photo
_PHOTO_PART = (0.65, 1.0)  # side of the part of a photo that is kept
_STRETCH = (0.88, 1.14)  # width against height
_TIGHT_MARGIN = (-0.03, 0.12)  # of the package's sides, around a tight crop
_TURNED = 180.0  # degrees


@dataclass(frozen=True)
class Views:
    """Draws pairs of one size.

    Attributes:
        size: Side of the squares, px.
        grey: The letterbox's colour, as on a device.
        options: How pictures are varied.
        backdrops: Real photos to stand behind packages; may be empty.
        packshots: Share of catalogue views in which the package stands at an angle.
    """

    size: int
    grey: int
    options: ViewOptions
    backdrops: Sequence[Picture] = ()
    packshots: float = 0.0

    def pair(self, pictures: Sequence[Picture], rng: Rng) -> tuple[Picture, Picture]:
        """Two (S, S, 3) uint8 squares of one product."""
        if len(pictures) == 1:
            return self.catalogue(pictures[0], rng), self.field(pictures[0], rng)
        first, second = rng.choice(len(pictures), 2, replace=False)
        return self.photo(pictures[first], rng), self.photo(pictures[second], rng)

    def catalogue(self, front: Picture, rng: Rng) -> Picture:
        """A front as a shop shows it: at an angle, or flat and nearly upright on white or another plain colour."""
        if self.packshots and rng.random() < self.packshots:
            return packshot(front, rng, self.size)
        grey = _WHITE if rng.random() < _ON_WHITE else int(rng.integers(0, 256))
        fill = rng.uniform(*_CATALOGUE_FILL)
        square = letterbox(_relit(front, rng), self.size, grey, fill)
        turn = cv2.getRotationMatrix2D((self.size / 2, self.size / 2), rng.normal(0, _CATALOGUE_TURN / 2), 1.0)
        turned = cv2.warpAffine(square, turn, (self.size, self.size), borderValue=(grey, grey, grey))
        return turned.astype(np.uint8, copy=False)

    def field(self, front: Picture, rng: Rng) -> Picture:
        """A drawn hand-held photo of a front."""
        chosen = self._field_options(rng)
        backdrop = None
        if self.backdrops and rng.random() < self.options.photo_backdrop:
            backdrop = self.backdrops[int(rng.integers(len(self.backdrops)))]
        view = draw_field_view(front, rng, chosen, backdrop=backdrop)
        picture = view.picture
        if rng.random() < self.options.tight:
            picture = _tight(picture, view.outline, rng)
        if rng.random() < self.options.coarse:
            picture = fit_longest_side(picture, int(rng.integers(*self.options.coarse_sides)))
        return letterbox(picture, self.size, self.grey)

    def photo(self, photo: Picture, rng: Rng) -> Picture:
        """A part of a photo, stretched a little and in other light."""
        height, width = photo.shape[:2]
        rows, columns = (max(1, int(side * rng.uniform(*_PHOTO_PART))) for side in (height, width))
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        part = photo[top : top + rows, left : left + columns]
        wide = max(1, round(columns * rng.uniform(*_STRETCH)))
        return letterbox(_relit(cv2.resize(part, (wide, rows)).astype(np.uint8), rng), self.size, self.grey)

    def _field_options(self, rng: Rng) -> FieldViewOptions:
        base = HARD if rng.random() < self.options.hard else (EASY, USUAL)[int(rng.integers(2))]
        longest = round(self.size * _FRAME_SHARE)
        shrunk = longest / _CAMERA_SIDE
        camera = replace(
            base.camera,
            motion_length=_scaled(base.camera.motion_length, shrunk),
            defocus=_scaled(base.camera.defocus, shrunk),
        )
        shortest = round(longest * _SHORT_SIDES[int(rng.integers(len(_SHORT_SIDES)))])
        roll = _TURNED / 2 if rng.random() < self.options.any_way_up else base.roll
        return replace(
            base,
            longest_side=longest,
            shortest_side=shortest,
            roll=roll,
            any_way_up=0.0,
            facings=self.options.facings,
            camera=camera,
        )


def _scaled(span: Span, factor: float) -> Span:
    return span[0] * factor, span[1] * factor


def _tight(picture: Picture, outline: npt.NDArray[np.float32], rng: Rng) -> Picture:
    """The box around the package, as a detector would cut it out."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    margin = (high - low) * rng.uniform(*_TIGHT_MARGIN)
    left, top = np.maximum(low - margin, 0).astype(int)
    right, bottom = np.ceil(high + margin).astype(int)
    part = picture[top:bottom, left:right]
    return part if min(part.shape[:2]) > 1 else picture


def _relit(picture: Picture, rng: Rng) -> Picture:
    """Other light, contrast and colour cast."""
    gain = rng.uniform(*_LIGHT) * (1 + rng.uniform(-_CAST, _CAST, 3))
    contrast = rng.uniform(*_CONTRAST)
    middle = 255 / 2
    levels = np.arange(256)[:, None]
    table = np.clip((levels - middle) * contrast * gain + middle * gain, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]), np.uint8)
