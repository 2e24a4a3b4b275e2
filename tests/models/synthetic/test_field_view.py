"""Drawn photos of any reference picture."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from skuscan.errors import PictureError
from skuscan_models.synthetic.canvas import blank, ellipse_points, fill
from skuscan_models.synthetic.cutout import cut_out
from skuscan_models.synthetic.field_view import draw_field_view, field_view, nothing, packshot
from skuscan_models.synthetic.packaging import design, draw_front, draw_side
from skuscan_models.synthetic.scenery import clutter
from skuscan_models.synthetic.view_options import EASY, HARD, USUAL

PRESETS = {"easy": EASY, "usual": USUAL, "hard": HARD}
# Without light, noise or a hand, a view shows the package's own colours.
STILL = replace(
    EASY,
    hand=0.0,
    second_face=0.0,
    camera=replace(
        EASY.camera, glare=0.0, shade=0.0, brightness=(1.0, 1.0), falloff=0.0, colour_cast=0.0, noise=(0.0, 0.0)
    ),
)


@pytest.fixture(scope="module")
def front() -> np.ndarray:
    return draw_front(design(1, 0, 0))


@pytest.mark.parametrize("preset", PRESETS)
def test_enough_of_the_package_is_in_the_frame(front, preset):
    options = PRESETS[preset]
    for seed in range(25):
        view = draw_field_view(front, np.random.default_rng(seed), options)
        assert view.visible >= options.min_visible
        assert view.picture.dtype == np.uint8
        assert sorted(view.picture.shape) == [3, options.shortest_side, options.longest_side]


def test_a_package_that_would_stick_out_is_moved_back(front):
    options = replace(EASY, scale=(0.9, 0.9), min_visible=0.995)
    assert all(draw_field_view(front, np.random.default_rng(seed), options).visible >= 0.995 for seed in range(40))


def test_the_same_generator_state_gives_the_same_photo(front):
    first, second = (field_view(front, np.random.default_rng(4), HARD) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, field_view(front, np.random.default_rng(5), HARD))


def test_presets_grow_harder():
    """Less of the package is sure to be seen, and it is turned further away, from preset to preset."""
    assert EASY.min_visible > USUAL.min_visible > HARD.min_visible
    assert EASY.tilt < USUAL.tilt < HARD.tilt
    assert EASY.camera.noise[1] < USUAL.camera.noise[1] < HARD.camera.noise[1]
    assert EASY.camera.jpeg_quality > USUAL.camera.jpeg_quality > HARD.camera.jpeg_quality


@pytest.mark.parametrize("size", [(40, 40), (4000, 4000), (40, 4000), (4000, 40), (333, 77), (9, 8)])
@pytest.mark.parametrize("ground", ["white", "black", "noise", "package only"])
def test_any_size_on_any_background_gives_a_photo(size, ground):
    rng = np.random.default_rng(1)
    height, width = size
    picture = blank(height, width, {"white": (255, 255, 255), "black": (0, 0, 0)}.get(ground, (180, 40, 60)))
    if ground == "noise":
        picture = rng.integers(0, 256, picture.shape, np.uint8)
    fill(picture, ellipse_points((width / 2, height / 2), (width * 0.3, height * 0.3)), (30, 140, 70))
    for seed, options in enumerate(PRESETS.values()):
        view = field_view(picture, np.random.default_rng(seed), options)
        assert view.std() > 0


def test_a_picture_of_one_colour_still_gives_a_photo():
    for colour in ((255, 255, 255), (0, 0, 0), (20, 90, 200)):
        assert field_view(blank(100, 60, colour), np.random.default_rng(0)).shape[2] == 3


def test_the_package_stands_where_the_outline_says():
    """A package of one strong colour is found inside its outline and nowhere else."""
    red = blank(400, 300, (255, 255, 255))
    red[50:350, 60:240] = (230, 10, 20)
    for seed in range(12):
        view = draw_field_view(red, np.random.default_rng(seed), STILL)
        inside = np.zeros(view.picture.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, np.rint(view.outline).astype(np.int32), 255)
        core = cv2.erode(inside, np.ones((25, 25), np.uint8), borderValue=0) == 255
        looks_red = (view.picture[..., 0] > 150) & (view.picture[..., 1:].max(axis=2) < 90)
        assert looks_red[core].mean() > 0.95


def test_copies_stand_beside_a_package_on_a_shelf_and_leave_it_in_sight(front):
    options = replace(STILL, scale=(0.3, 0.35), things=(0, 0))
    for seed in range(8):
        alone, on_shelf = (
            draw_field_view(front, np.random.default_rng(seed), replace(options, facings=facings))
            for facings in (0.0, 1.0)
        )
        assert np.array_equal(alone.outline, on_shelf.outline)
        apart = np.abs(alone.picture.astype(int) - on_shelf.picture).max(axis=2)
        package = cv2.fillConvexPoly(np.zeros_like(apart, np.uint8), alone.outline.astype(int), 1)
        assert np.median(apart[cv2.erode(package, np.ones((9, 9), np.uint8)) > 0]) < 10
        assert (apart[package == 0] > 30).mean() > 0.1


def test_the_white_background_of_a_packshot_is_cut_away():
    red = blank(400, 300, (255, 255, 255))
    red[50:350, 60:240] = (230, 10, 20)
    cut = cut_out(red, 640)
    assert cut.rgba.shape == (300, 180, 4)
    assert cut.rectangular
    assert (cut.rgba[..., 3] == 255).all()


def test_a_light_hole_inside_a_package_is_not_background():
    ring = blank(400, 400, (255, 255, 255))
    fill(ring, ellipse_points((200, 200), (150, 150), count=200), (10, 120, 40))
    fill(ring, ellipse_points((200, 200), (90, 90), count=200), (255, 255, 255))
    cut = cut_out(ring, 640)
    assert cut.rgba[150, 150, 3] == 255
    assert not cut.rectangular


def test_a_white_band_does_not_cut_a_package_in_two():
    package = blank(400, 300, (255, 255, 255))
    package[40:360, 60:240] = (200, 30, 40)
    package[320:345] = (255, 255, 255)
    cut = cut_out(package, 640)
    assert cut.rgba.shape[:2] == (320, 180)
    assert (cut.rgba[..., 3] == 255).mean() > 0.97


def test_a_busy_background_is_taken_whole():
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    cut = cut_out(noise, 640)
    assert cut.rgba.shape[:2] == noise.shape[:2]
    assert cut.rectangular


def test_drawn_packshots_are_cut_out_without_their_white():
    for family in range(12):
        packshot = draw_front(design(1, family, 0))
        cut = cut_out(packshot, 1000)
        printed = (packshot.min(axis=2) < 240).sum()
        assert cut.rgba.shape[0] < packshot.shape[0]
        assert abs(int((cut.rgba[..., 3] > 0).sum()) - printed) < 0.35 * cut.rgba[..., 3].size


def test_a_known_side_is_shown_on_a_turned_box():
    plain = blank(300, 200, (120, 120, 130))
    side = blank(300, 90, (10, 250, 10))
    options = replace(STILL, second_face=1.0, tilt=35.0)
    green = []
    for seed in range(12):
        view = field_view(plain, np.random.default_rng(seed), options, side)
        green.append(((view[..., 1] > 130) & (view[..., 0] < 60) & (view[..., 2] < 60)).mean())
    assert max(green) > 0.01


def test_a_packshot_stands_on_white_with_its_side_in_sight():
    red, side = blank(300, 200, (210, 20, 20)), blank(300, 90, (10, 210, 10))
    greens = []
    for seed in range(12):
        view = packshot(red, np.random.default_rng(seed), 200, side)
        assert view.shape == (200, 200, 3)
        red_pixels = (view[..., 0] > 120) & (view[..., 1] < 80)
        assert red_pixels.mean() > 0.08
        assert view[:6, :6].min() > 200
        greens.append(((view[..., 1] > 90) & (view[..., 0] < 80)).mean())
    assert max(greens) > 0.02


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 3), np.float32),
        np.zeros((4, 40, 3), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(PictureError):
        field_view(picture, np.random.default_rng(0))


def test_pictures_of_nothing_differ_and_have_a_photos_size():
    pictures = [nothing(np.random.default_rng(seed)) for seed in range(12)]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert all(sorted(picture.shape) == [3, 480, 640] for picture in pictures)
    assert clutter(np.random.default_rng(0), 101, 75).shape == (101, 75, 3)


def test_a_side_has_the_height_of_its_front_and_prints_on_it():
    side = draw_side(design(1, 0, 0))
    assert side.shape[2] == 3
    assert side.std() > 10


def test_the_reference_picture_is_left_as_it_was(front):
    before = front.copy()
    field_view(front, np.random.default_rng(2), HARD)
    assert np.array_equal(front, before)
