"""What light and a phone's camera do to a scene: shade, glare, colour cast, blur, noise, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from skuscan_models.synthetic.canvas import Picture, ellipse_points, fill, moved, shade, stroke

Rng = np.random.Generator
Span = tuple[float, float]  # least and greatest value, drawn evenly

_LIGHT_STEP = 8  # px of the photo per px of a light field: light changes slowly
_MIN_EXPOSURE = 0.02  # a light field never goes below this


@dataclass(frozen=True)
class CameraOptions:
    """Ranges of light and camera effects."""

    glare: float = 0.35  # probability of a highlight
    glare_strength: Span = (0.2, 0.9)  # share of white added in its middle
    shade: float = 0.4  # probability of a cast shadow's edge across the scene
    shade_depth: Span = (0.15, 0.5)  # share of the light it takes
    brightness: Span = (0.55, 1.25)  # gain of all channels
    falloff: float = 0.2  # greatest loss of light from one side of the scene to the other
    colour_cast: float = 0.12  # greatest gain or loss of the red against the blue channel
    motion: float = 0.25  # probability of motion blur
    motion_length: Span = (2.0, 6.0)  # px
    defocus: Span = (0.0, 1.1)  # px, sigma
    noise: Span = (1.0, 7.0)  # steps of 255, standard deviation
    jpeg_quality: tuple[int, int] = (55, 93)


def photograph(scene: Picture, rng: Rng, options: CameraOptions) -> Picture:
    """A photo of a scene, (H, W, 3) uint8 of the same size."""
    lit = _light(scene, rng, options)
    blurred = _blur(lit, rng, options)
    noisy = _noise(blurred, rng, options)
    quality = int(rng.integers(options.jpeg_quality[0], options.jpeg_quality[1] + 1))
    return through_jpeg(noisy, quality)


def through_jpeg(picture: Picture, quality: int) -> Picture:
    """What is left of a picture after JPEG compression, (H, W, 3) uint8."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # what was just encoded decodes
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _light(scene: Picture, rng: Rng, options: CameraOptions) -> Picture:
    height, width = scene.shape[:2]
    small = (-(-height // _LIGHT_STEP), -(-width // _LIGHT_STEP))
    turn, loss = rng.uniform(0, 2 * np.pi), rng.uniform(0, options.falloff)
    x = np.linspace(-0.5, 0.5, small[1], dtype=np.float32)[None]
    y = np.linspace(-0.5, 0.5, small[0], dtype=np.float32)[:, None]
    field = (1 - loss * (np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y)).astype(np.float32)
    if rng.random() < options.shade:
        field *= 1 - rng.uniform(*options.shade_depth) * _shadow(rng, small)
    field = np.maximum(field * rng.uniform(*options.brightness), _MIN_EXPOSURE)
    cast = rng.uniform(-options.colour_cast, options.colour_cast)
    gains = np.array([1 + cast, 1 + rng.uniform(-0.25, 0.25) * options.colour_cast, 1 - cast], np.float32)
    photo = scene.copy()
    shade(photo, field[..., None] * gains)
    if rng.random() < options.glare:
        glare = _highlight(rng, small) * np.float32(rng.uniform(*options.glare_strength))
        wide = cv2.resize(glare.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
        photo = cv2.add(photo, cv2.cvtColor(wide, cv2.COLOR_GRAY2RGB)).astype(np.uint8, copy=False)
    return photo


def _shadow(rng: Rng, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A half plane in shadow with a soft edge, (h, w) float32 0..1."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    x, y, turn = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height, rng.uniform(0, 2 * np.pi)
    along, across = np.array((np.cos(turn), np.sin(turn))) * 200, np.array((-np.sin(turn), np.cos(turn))) * 200
    fill(mask, moved(np.array([-along, along, along + across, across - along]), x, y), 255)
    return cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.6, 5)).astype(np.float32) / np.float32(255)


def _highlight(rng: Rng, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A round or a long reflection of a lamp, (h, w) float32 0..255."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    x, y, turn = rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height, rng.uniform(0, np.pi)
    if rng.random() < 0.5:
        fill(
            mask, ellipse_points((x, y), (height * rng.uniform(0.04, 0.14), height * rng.uniform(0.02, 0.1)), turn), 255
        )
    else:
        away = np.array((np.cos(turn), np.sin(turn))) * height * rng.uniform(0.2, 0.6)
        stroke(mask, [(x - away[0], y - away[1]), (x + away[0], y + away[1])], 255, height * rng.uniform(0.02, 0.08))
    return cv2.GaussianBlur(mask, (0, 0), rng.uniform(1.2, 4)).astype(np.float32)


def _blur(picture: Picture, rng: Rng, options: CameraOptions) -> Picture:
    if rng.random() < options.motion:
        length = rng.uniform(*options.motion_length)
        side = int(length) | 1
        kernel = np.zeros((side, side), np.uint8)
        turn, middle = rng.uniform(0, np.pi), (side - 1) / 2
        away = np.array((np.cos(turn), np.sin(turn))) * middle
        stroke(kernel, [(middle - away[0], middle - away[1]), (middle + away[0], middle + away[1])], 255, 1)
        weights = kernel.astype(np.float32) / float(kernel.sum())
        return cv2.filter2D(picture, -1, weights).astype(np.uint8, copy=False)
    sigma = rng.uniform(*options.defocus)
    return cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.uint8) if sigma > 0.3 else picture


def _noise(picture: Picture, rng: Rng, options: CameraOptions) -> Picture:
    """Noise of a small sensor after its demosaicing: mostly brightness, slightly smeared."""
    sigma = rng.uniform(*options.noise)
    height, width = picture.shape[:2]
    raw = np.frombuffer(rng.bytes(height * width), np.uint8).reshape(height, width)
    # An even distribution over 256 steps has a deviation of 74; the blur of 0.6 px halves it.
    smooth = cv2.GaussianBlur(raw, (0, 0), 0.6)
    around = cv2.convertScaleAbs(smooth, alpha=2 * sigma / 74, beta=128 - 127.5 * 2 * sigma / 74)
    return cv2.addWeighted(picture, 1.0, cv2.cvtColor(around, cv2.COLOR_GRAY2RGB), 1.0, -128).astype(
        np.uint8, copy=False
    )
