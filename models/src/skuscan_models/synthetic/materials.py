"""Fonts, clip art and photos for drawn packaging, beyond what the project draws itself.

What is drawn for others to compare (the demo, the tests, the decision's evidence) uses none, so that it looks the same
everywhere. Training takes those that `skuscan_models.training.fetch_materials` fetches, and prints the photos of its
sources: real brands have hundreds of typefaces and pictures of anything.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.errors import PictureError
from skuscan_models.synthetic.canvas import WHITE, Picture, mix
from skuscan_models.synthetic.pen import BRIGHTNESS, Pen, Style

Cutting = npt.NDArray[np.uint8]  # (h, w, 4) RGB and opacity

FONT_FOLDER, ART_FOLDER = "fonts", "art"
_ART_SHARE = 0.65  # of the families; the rest has the project's own pictograms
_ALIKE_SHARE = 0.2  # of those: all variants show one picture, and differ in words and colours only
_FILL = 0.98  # longest side of a picture against the pen's square
_AREA_BELOW = 0.5  # scale from which pixels are averaged before a warp
_DIAGONAL = 1.45  # of a square, and a little
_LIGHT = 0.4  # brightness from which one-colour art is mixed with white
_PALEST = 0.85


@dataclass(frozen=True)
class Materials:
    """What brands choose from.

    Attributes:
        fonts: For each typeface, the paths of its files: weights and the like.
        art: (h, w, 4) uint8 pictures on a transparent ground, RGB and opacity.
        photos: (h, w, 3) uint8 RGB, printed on free fronts.
    """

    fonts: tuple[tuple[str, ...], ...] = ()
    art: tuple[Cutting, ...] = ()
    photos: tuple[Picture, ...] = ()


PLAIN = Materials()


def load_materials(folder: Path) -> Materials:
    """What a folder holds: of each typeface a folder of files, and pictures. Raises PictureError for a broken one."""
    typefaces = sorted(path for path in (folder / FONT_FOLDER).glob("*") if path.is_dir())
    pictures = sorted((folder / ART_FOLDER).glob("*.png"))
    fonts = tuple(tuple(str(path) for path in sorted(typeface.iterdir())) for typeface in typefaces)
    return Materials(fonts, tuple(map(_load_cutting, pictures)))


@dataclass(frozen=True)
class Artwork:
    """The clip art of one brand: a picture for each name that a pictogram would have.

    Attributes:
        art: What the brand chose from.
        key: Its own number: two brands have different pictures for one name.
        alike: Every name has the same picture.
        flipped: They are mirrored.
    """

    art: tuple[Cutting, ...]
    key: int
    alike: bool
    flipped: bool

    def draw(self, pen: Pen, name: str) -> None:
        """Draw the picture of that name in the pen's square; the style ONE_COLOUR tints it, the others do not."""
        which = np.random.default_rng((self.key, 0 if self.alike else int.from_bytes(name.encode(), "little")))
        cutting = self.art[int(which.integers(len(self.art)))]
        if pen.style is Style.ONE_COLOUR:
            cutting = _tinted(cutting, pen.tint)
        _lay(pen, cutting[:, ::-1] if self.flipped else cutting)


def choose_artwork(rng: np.random.Generator, materials: Materials) -> Artwork | None:
    """A brand's clip art, or None where it has the project's pictograms."""
    if not materials.art or rng.random() >= _ART_SHARE:
        return None
    return Artwork(materials.art, int(rng.integers(2**32)), bool(rng.random() < _ALIKE_SHARE), bool(rng.integers(2)))


def _load_cutting(path: Path) -> Cutting:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
        raise PictureError("clip art is 8-bit RGB with opacity", str(path))
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA), np.uint8)


def _tinted(cutting: Cutting, tint: tuple[int, int, int]) -> Cutting:
    """In shades of one colour, as `Pen` tones what it draws."""
    light = (cutting[..., :3] @ np.array(BRIGHTNESS, np.float32))[..., None] / 255
    palest = np.array(mix(tint, WHITE, _PALEST), np.float32)
    own = np.array(tint, np.float32)
    shades = np.where(light > _LIGHT, own + (palest - own) * light, own * (1 - _LIGHT + light))
    return np.dstack([np.clip(shades, 0, 255).astype(np.uint8), cutting[..., 3]])


def _lay(pen: Pen, cutting: Cutting) -> None:
    """Lay it over the pen's picture, turned and scaled; what sticks out is cut."""
    height, width = cutting.shape[:2]
    scale = 2 * pen.size / max(height, width) * _FILL
    if scale < _AREA_BELOW:
        small = max(1, round(width * scale)), max(1, round(height * scale))
        cutting = np.asarray(cv2.resize(cutting, small, interpolation=cv2.INTER_AREA), np.uint8)
        scale *= width / small[0]
        height, width = cutting.shape[:2]
    side = int(2 * pen.size * _DIAGONAL) + 3
    middle = width / 2, height / 2
    turn = np.asarray(cv2.getRotationMatrix2D(middle, -np.degrees(pen.turn), scale), np.float64)
    turn[:, 2] += side / 2 - np.array(middle)
    premultiplied = cutting.astype(np.float32)
    premultiplied[..., :3] *= premultiplied[..., 3:] / 255
    tile = cv2.warpAffine(premultiplied, turn, (side, side), flags=cv2.INTER_LINEAR)
    left, top = round(pen.x - side / 2), round(pen.y - side / 2)
    tall, wide = pen.picture.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, wide), min(top + side, tall)
    if x0 >= x1 or y0 >= y1:
        return
    part = tile[y0 - top : y1 - top, x0 - left : x1 - left]
    under = pen.picture[y0:y1, x0:x1].astype(np.float32) * (1 - part[..., 3:] / 255)
    pen.picture[y0:y1, x0:x1] = np.clip(under + part[..., :3], 0, 255).astype(np.uint8)
