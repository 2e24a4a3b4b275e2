"""From whatever a camera or a catalogue hands over to upright 8-bit RGB pixels.

A picture is read in this order: its length is checked, then its header (kind, width, height), and only then are pixels
decoded; then its colours become 8-bit RGB on white, and its EXIF orientation is applied. Pillow decodes, for it shows
the header first, knows every colour mode and reads JPEG at a fraction of its size; OpenCV resizes.
"""

import importlib
import stat
import threading
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from skuscan.errors import PictureError

FORMATS = ("Jpeg", "Png", "WebP", "Tiff", "Bmp", "Gif")  # no others: some of Pillow's readers start programs
for _format in FORMATS:  # by name: for a kind that it does not know yet, Pillow imports all of its forty readers
    importlib.import_module(f"PIL.{_format}ImagePlugin")

DRAFT_LONGEST_SIDE = 1280  # px; a JPEG is decoded at 1/2, 1/4 or 1/8 as long as this much is left: twice what ORB sees

_UPRIGHT = {  # EXIF 2.32, tag 274 -> what turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class PictureLimits:
    """What is refused before a pixel is decoded."""

    max_pixels: int = 25_000_000  # width x height, from the header
    max_bytes: int = 100_000_000  # bytes of the file; 25 MP of uncompressed 8-bit RGB are 75 MB


def load_picture(
    source: str | Path | bytes | npt.NDArray[np.uint8], limits: PictureLimits = PictureLimits()
) -> npt.NDArray[np.uint8]:
    """Read a picture.

    JPEG, PNG, WebP, TIFF, BMP and GIF (an animation's first frame) of any colour mode. Colours are taken as they are
    stored, without colour profiles; what is transparent becomes white; of 16 bits a channel the upper 8 count.

    Args:
        source: A path, a file's bytes, or an (H, W, 3) uint8 RGB array, which is returned as it is.
        limits: What is refused.

    Returns:
        (H, W, 3) uint8 RGB, upright; maybe read-only. A large JPEG is decoded at a fraction of its size, as long as the
        longest side keeps 1,280 px.

    Raises:
        PictureError: Not readable, empty, too long, too large, not a picture, damaged, or an array of another kind.
    """
    if isinstance(source, np.ndarray):
        return _checked_array(source, limits)
    if isinstance(source, bytes):
        return _decode(source, "", limits)
    if isinstance(source, str | Path):
        return _decode(_read(Path(source), limits), f"{source}: ", limits)
    raise PictureError("a picture is a path, bytes or an RGB array", type(source).__name__)


def letterbox(rgb: npt.NDArray[np.uint8], size: int, grey: int, fill: float = 1.0) -> npt.NDArray[np.uint8]:
    """The whole picture in the middle of a grey square.

    Args:
        rgb: (H, W, 3) uint8.
        size: The square's side, px.
        grey: The colour around the picture, 0 to 255.
        fill: Share of the square's side that the picture's longest side takes.

    Returns:
        (size, size, 3) uint8.
    """
    inner = fit_longest_side(rgb, round(size * fill))
    height, width = inner.shape[:2]
    top, left = (size - height) // 2, (size - width) // 2
    square = np.full((size, size, 3), grey, np.uint8)
    square[top : top + height, left : left + width] = inner
    return square


def fit_longest_side(rgb: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """The picture scaled so that its longest side is `side` px; small pictures are enlarged.

    ORB's patches have a fixed size in px, so a small crop must be brought to the scale of the reference to match it.

    Args:
        rgb: (H, W, 3) uint8, or (H, W) uint8 grey.
        side: px.

    Returns:
        uint8 of as many channels, max(h, w) == side and min(h, w) >= 1; the picture itself when it has that size.
    """
    height, width = rgb.shape[:2]
    longest = max(height, width)
    if longest == side:
        return rgb
    # Whole numbers, halves up: the same on every machine.
    new_height, new_width = (max(1, (2 * n * side + longest) // (2 * longest)) for n in (height, width))
    method = cv2.INTER_AREA if side < longest else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (new_width, new_height), interpolation=method), np.uint8)


def _checked_array(pixels: npt.NDArray[np.uint8], limits: PictureLimits) -> npt.NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise PictureError(
            "an array is a picture when it is (H, W, 3) uint8 RGB",
            f"{pixels.shape} {pixels.dtype}",
            "convert it, or hand over the picture's bytes",
        )
    _check_size(pixels.shape[1], pixels.shape[0], "", limits)
    return np.ascontiguousarray(pixels)


def _check_size(width: int, height: int, name: str, limits: PictureLimits) -> None:
    if width < 1 or height < 1:
        raise PictureError("a picture has at least one pixel", f"{name}{width} x {height}")
    if width * height > limits.max_pixels:
        raise PictureError(
            f"a picture has at most {limits.max_pixels:,} pixels", f"{name}{width} x {height}", "scale it down"
        )


def _check_length(length: int, name: str, limits: PictureLimits) -> None:
    if length == 0:
        raise PictureError("a picture has bytes", f"{name}0 bytes", "take it or copy it again")
    if length > limits.max_bytes:
        rule = f"a picture has at most {limits.max_bytes:,} bytes"
        raise PictureError(rule, f"{name}{length:,} bytes", "save it as JPEG")


def _read(path: Path, limits: PictureLimits) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a folder, or a pipe that would never end
            raise PictureError("a picture is a file", f"{path}: something else")
        _check_length(status.st_size, f"{path}: ", limits)
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else error
        raise PictureError("a picture is a file that can be read", f"{path}: {reason}") from error


def _decode(data: bytes, name: str, limits: PictureLimits) -> npt.NDArray[np.uint8]:
    """`name` is what a message begins with: "shelf.jpg: ", or nothing."""
    _check_length(len(data), name, limits)
    try:
        with _QUIET:
            return _pixels(data, name, limits)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, above ours
        raise PictureError(
            f"a picture has at most {limits.max_pixels:,} pixels", f"{name}{error}", "scale it down"
        ) from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"a picture is one of {', '.join(FORMATS)}", f"{name}{len(data):,} bytes of something else"
        ) from error
    except Exception as error:
        # Damaged bytes make Pillow's readers raise nearly anything: OSError, SyntaxError, struct.error, KeyError, ...
        raise PictureError(
            "a picture is whole and undamaged", f"{name}{error or type(error).__name__}", "take it or copy it again"
        ) from error


def _pixels(data: bytes, name: str, limits: PictureLimits) -> npt.NDArray[np.uint8]:
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_size(*image.size, name, limits)
        _draft(image)
        image.load()
        orientation = _orientation(image)
        rgb = _to_rgb(image, name)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return np.asarray(rgb)


def _draft(image: Image.Image) -> None:
    """Let the JPEG reader leave out detail that nobody will look at; the other readers ignore the request."""
    reduction = max(1, max(image.size) // DRAFT_LONGEST_SIDE)
    image.draft(None, (max(1, image.width // reduction), max(1, image.height // reduction)))


def _orientation(image: Image.Image) -> int | None:
    """The EXIF orientation; after loading, as PNG may hold it behind the pixels and TIFF is upright by then."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF does not damage the pixels; the readers raise nearly anything here too
        return None
    return value if isinstance(value, int) else None


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255; colour pictures of 16 bits reach us as their upper bytes already.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise PictureError("a picture has 8 or 16 bits a channel", f"{name}32 bits a channel", "save it as PNG")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


class _QuietPillow:
    """Holds Pillow's warnings back while any thread decodes: what matters is raised or harmless (odd EXIF tags).

    Filters of warnings belong to the whole process: the first thread in sets ours, the last one out takes it away.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(None, None, None)


_QUIET = _QuietPillow()
