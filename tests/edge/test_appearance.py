import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.appearance import (
    CELLS,
    PACKED_BYTES,
    Appearance,
    View,
    agreement,
    contest,
    describe,
    look,
    pack,
    rivalry,
    unpack,
)
from skuscan.errors import BundleError
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.proto.bundle_pb2 import KeypointSpec

SPEC = KeypointSpec(
    detector="orb",
    extractor_version=KeypointExtractor.VERSION,
    longest_side=640,
    query_keypoints=1000,
    reference_keypoints=220,
    candidate_keypoints=1000,
    scale_factor=1.2,
    levels=8,
    fast_threshold=10,
)
TILTED = np.array([[0.45, -0.06, 60], [0.05, 0.42, 40], [1e-4, 5e-5, 1]])
FRAME = (480, 360)  # px, of a scan
STEP = 255 / 31  # levels between two packed reds


def print_with(band: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """(640, 480, 3): a package of one brand; the flavours differ in the colour of a band."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(30, 220, (10, 8, 3), np.uint8), (480, 640), interpolation=cv2.INTER_CUBIC)
    picture[330:520] = band
    noise = rng.normal(0, 12, picture.shape)  # or the corners' ground would count as background
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


RED, GREEN = print_with((200, 40, 40)), print_with((40, 160, 60))


def described(picture: np.ndarray) -> Appearance:
    return describe(KeypointExtractor(SPEC).examine(picture))


def scanned(picture: np.ndarray, gain: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """A hand-held photo, (360, 480, 3), in another light."""
    there = cv2.warpPerspective(picture, TILTED, FRAME, flags=cv2.INTER_AREA, borderValue=(90, 110, 100))
    return np.asarray(np.clip(there * gain + offset, 0, 255), np.uint8)


def seen(photo: np.ndarray, reference: Appearance, homography: np.ndarray = TILTED) -> View:
    view = look(cv2.resize(photo, (320, 240), interpolation=cv2.INTER_AREA), FRAME, reference, homography)
    assert view is not None
    return view


def held_against(one: View, other: View) -> float:
    return contest(rivalry(one, other), rivalry(other, one))


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.5, 0.0), (0.6, 60.0)], ids=["shop", "dim", "hazy"])
def test_a_scan_of_the_reference_agrees_in_any_light_and_a_siblings_does_not(gain: float, offset: float) -> None:
    right, wrong = (agreement(seen(scanned(picture, gain, offset), described(RED))) for picture in (RED, GREEN))
    assert right > 0.9
    assert wrong < 0.8


def test_light_of_another_colour_is_no_other_product() -> None:
    warm = np.clip(scanned(RED) * np.array([1.0, 0.8, 0.6]), 0, 255).astype(np.uint8)
    assert agreement(seen(warm, described(RED))) > 0.9


@pytest.mark.parametrize(("shown", "sign"), [(RED, 1), (GREEN, -1)], ids=["red", "green"])
def test_the_sibling_whose_band_is_seen_wins(shown: np.ndarray, sign: int) -> None:
    photo = scanned(shown, 0.7, 20)
    red, green = (seen(photo, described(picture)) for picture in (RED, GREEN))
    assert 0.5 < sign * held_against(red, green) <= 1
    assert held_against(green, red) == pytest.approx(-held_against(red, green))


def test_only_the_cells_that_differ_count_against_a_sibling() -> None:
    photo = scanned(GREEN)
    red, green = (seen(photo, described(picture)) for picture in (RED, GREEN))
    assert rivalry(red, green).agreement < 0.5 < agreement(red)
    assert rivalry(green, red).agreement > 0.9


def test_a_third_flavour_agrees_with_neither_sibling_where_they_differ() -> None:
    photo = scanned(print_with((40, 60, 200)))
    red, green = (seen(photo, described(picture)) for picture in (RED, GREEN))
    assert max(rivalry(red, green).agreement, rivalry(green, red).agreement) < 0.5


def test_two_references_that_look_the_same_cannot_be_told_apart() -> None:
    one, other = (seen(scanned(RED), described(RED)) for _ in range(2))
    assert held_against(one, other) == 0
    assert rivalry(one, other).agreement == pytest.approx(agreement(one))


def test_a_sibling_printed_elsewhere_in_its_picture_is_laid_over_the_same_cells() -> None:
    smaller = np.full_like(GREEN, 255)
    smaller[100:580, 60:420] = cv2.resize(GREEN, (360, 480), interpolation=cv2.INTER_AREA)
    to_whole = np.array([[480 / 360, 0, -60 * 480 / 360], [0, 640 / 480, -100 * 640 / 480], [0, 0, 1.0]])
    photo = scanned(GREEN)
    green = seen(photo, described(smaller), TILTED @ to_whole)
    assert agreement(green) > 0.85
    assert held_against(green, seen(photo, described(RED))) > 0.5


def test_the_plain_background_of_a_cut_out_is_left_out() -> None:
    picture = np.full((640, 640, 3), 255, np.uint8)
    cv2.ellipse(picture, (320, 320), (120, 240), 0, 0, 360, (60, 90, 160), -1)
    appearance = described(picture)
    assert np.abs(np.array(appearance.box) - (200, 80, 441, 561)).max() <= 2
    assert not appearance.printed[0, 0]
    assert appearance.printed[CELLS // 2, CELLS // 2]
    assert np.abs(appearance.colours[appearance.printed] - (60, 90, 160)).max() < 2
    coloured = described(np.full((64, 48, 3), (200, 30, 30), np.uint8))
    assert coloured.printed.all()
    assert described(np.full((64, 48, 3), 255, np.uint8)).box == (0, 0, 480, 640)


def test_a_print_out_of_sight_or_behind_the_camera_is_not_judged() -> None:
    reference, small = described(RED), np.zeros((240, 320, 3), np.uint8)
    away = np.array([[1, 0, 5000], [0, 1, 0], [0, 0, 1.0]])
    folded = np.array([[1, 0, 0], [0, 1, 0], [-1 / 100, 0, 1.0]])  # the plane passes through the camera
    for homography in (away, folded, None):
        assert look(small, FRAME, reference, homography) is None
    assert look(small, FRAME, None, TILTED) is None


def test_a_homography_means_the_same_with_the_other_sign() -> None:
    photo, reference = scanned(RED), described(RED)
    assert agreement(seen(photo, reference, -TILTED)) == agreement(seen(photo, reference, TILTED))


@pytest.mark.guarantee("G23")
def test_the_same_scan_gives_the_same_numbers_bit_for_bit() -> None:
    first, second = (
        held_against(seen(scanned(RED), described(RED)), seen(scanned(RED), described(GREEN))) for _ in range(2)
    )
    assert first == second


@st.composite
def appearances(draw: st.DrawFn) -> Appearance:
    left, top = draw(st.integers(0, 4095)), draw(st.integers(0, 4095))
    right, bottom = draw(st.integers(left + 1, 4096)), draw(st.integers(top + 1, 4096))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    colours = rng.uniform(0, 255, (CELLS, CELLS, 3)).astype(np.float32)
    return Appearance((left, top, right, bottom), colours, rng.random((CELLS, CELLS)) < 0.7)


@given(appearances())
def test_packing_loses_at_most_half_a_step_of_colour(appearance: Appearance) -> None:
    data = pack(appearance)
    back = unpack(data)
    assert len(data) == PACKED_BYTES
    assert back is not None
    assert back.box == appearance.box
    assert np.array_equal(back.printed, appearance.printed)
    assert np.abs(back.colours - appearance.colours).max() <= STEP / 2 + 1e-3
    assert pack(back) == data


@given(st.one_of(st.binary(max_size=200), st.binary(min_size=PACKED_BYTES, max_size=PACKED_BYTES)))
def test_garbage_is_refused_or_read_and_written_back_the_same(data: bytes) -> None:
    try:
        appearance = unpack(data)
    except BundleError:
        return
    assert (b"" if appearance is None else pack(appearance)) == data
