"""What is measured of a reference picture, on pictures whose fault is known."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.model import Model
from skuscan.quality import ReferenceQuality, measure

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def extractor(released_model: Model) -> KeypointExtractor:
    return KeypointExtractor(released_model.artifact.keypoints)


@pytest.fixture
def package() -> Picture:
    """A package with words and shapes in many places, on a ground of its own."""
    rng = np.random.default_rng(7)
    rgb = np.full((480, 360, 3), (40, 90, 160), np.uint8)
    for row in range(8):
        colour = tuple(int(c) for c in rng.integers(120, 255, 3))
        cv2.putText(rgb, f"Oats {row} %&*", (10, 50 + 55 * row), cv2.FONT_HERSHEY_TRIPLEX, 1.4, colour, 2)
    return rgb


def quality_of(extractor: KeypointExtractor, rgb: Picture) -> ReferenceQuality:
    return measure(rgb.shape[1], rgb.shape[0], extractor.examine(rgb))


def test_blur_grows_with_the_blur(extractor: KeypointExtractor, package: Picture) -> None:
    blurs = [
        quality_of(extractor, np.asarray(cv2.GaussianBlur(package, (0, 0), sigma), np.uint8)).blur
        for sigma in (0.1, 2.0, 4.0, 8.0)
    ]
    assert blurs == sorted(blurs)
    assert blurs[0] < 0.4 < 0.7 < blurs[-1] <= 1.0


def test_faint_print_is_not_blurred(extractor: KeypointExtractor, package: Picture) -> None:
    faint = np.asarray(128 + 0.3 * (package.astype(np.float32) - 128), np.uint8)
    assert abs(quality_of(extractor, faint).blur - quality_of(extractor, package).blur) < 0.1


def test_the_package_is_what_a_plain_background_surrounds(extractor: KeypointExtractor, package: Picture) -> None:
    frame = np.full((1600, 1200, 3), 255, np.uint8)
    frame[200:680, 500:860] = package
    got = quality_of(extractor, frame)
    assert (got.width, got.height) == (1200, 1600)
    assert got.package_width == pytest.approx(360, abs=6)
    assert got.package_height == pytest.approx(480, abs=6)


def test_print_in_one_corner_is_not_spread(extractor: KeypointExtractor, package: Picture) -> None:
    corner = np.full((960, 720, 3), (40, 90, 160), np.uint8)
    corner[:480, :360] = package
    corner[900:, 700:] = 250  # another corner has another colour, or the ground would be background
    assert quality_of(extractor, package).spread > 2 * quality_of(extractor, corner).spread > 0


def test_what_no_field_view_shows_again_does_not_survive(extractor: KeypointExtractor, package: Picture) -> None:
    noise = np.random.default_rng(3).integers(110, 146, (640, 480, 3)).astype(np.uint8)
    printed = quality_of(extractor, package)
    assert printed.surviving > 0.6 * printed.keypoints
    assert quality_of(extractor, noise).surviving < 0.2 * printed.surviving


def test_a_plain_picture_is_all_background(extractor: KeypointExtractor) -> None:
    got = quality_of(extractor, np.full((50, 60, 3), 128, np.uint8))
    assert got == ReferenceQuality(60, 50, 0, 0, 0, 0, 0.0, 1.0)
