from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan_models.synthetic.field_view import packshot
from skuscan_models.training import views as module
from skuscan_models.training.config import ViewOptions
from skuscan_models.training.views import Views

Picture = npt.NDArray[np.uint8]
SIZE = 64
GREY = 255
VIEWS = Views(SIZE, GREY, ViewOptions())
NEVER = ViewOptions(tight=0.0, coarse=0.0)


@pytest.fixture(scope="module")
def front(make_front: Callable[[int], Picture]) -> Picture:
    return make_front(0)


def photo_of(colour: int) -> Picture:
    return np.full((40, 30, 3), colour, np.uint8)


@pytest.mark.parametrize("draw", ["catalogue", "field", "photo"])
def test_every_view_is_a_square_of_pixels(front: Picture, draw: str) -> None:
    for seed in range(10):
        view = getattr(VIEWS, draw)(front, np.random.default_rng(seed))
        assert view.shape == (SIZE, SIZE, 3)
        assert view.dtype == np.uint8


@pytest.mark.parametrize("draw", ["catalogue", "field", "photo"])
def test_a_view_follows_from_the_generator_alone(front: Picture, draw: str) -> None:
    first, again, other = (getattr(VIEWS, draw)(front, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_catalogue_view_keeps_the_whole_product(front: Picture) -> None:
    red = np.zeros_like(front)
    red[:, :, 0] = 255
    for seed in range(20):
        view = VIEWS.catalogue(red, np.random.default_rng(seed)).astype(int)
        product = (view[..., 0] - view[..., 1]) > 60
        rows, columns = product.any(axis=1).nonzero()[0], product.any(axis=0).nonzero()[0]
        longest = max(np.ptp(rows), np.ptp(columns)) + 1
        assert longest >= 0.7 * SIZE
        assert product.sum() > 0.9 * longest**2 * min(front.shape[:2]) / max(front.shape[:2]) * 0.9


def test_a_share_of_the_catalogue_views_are_packshots(front: Picture) -> None:
    some = Views(SIZE, GREY, ViewOptions(), packshots=0.5)
    angled = 0
    for seed in range(40):
        view, rng = some.catalogue(front, np.random.default_rng(seed)), np.random.default_rng(seed)
        rng.random()  # whether it is one
        angled += np.array_equal(view, packshot(front, rng, SIZE))
    assert 8 < angled < 32


def test_a_tight_crop_is_a_part_of_the_photo_around_the_package() -> None:
    photo = np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)
    photo[..., 2] = np.arange(80)  # the column
    photo[..., 1] = np.arange(60)[:, np.newaxis]  # the row
    outline = np.array([[20, 10], [60, 12], [58, 50], [22, 48]], np.float32)
    for seed in range(20):
        part = module._tight(photo, outline, np.random.default_rng(seed))
        left, right, top, bottom = part[0, 0, 2], part[0, -1, 2], part[0, 0, 1], part[-1, 0, 1]
        assert 20 - 0.12 * 40 - 1 <= left <= 20 + 0.03 * 40 + 1
        assert 60 - 0.03 * 40 - 2 <= right <= 60 + 0.12 * 40 + 1
        assert 10 - 0.12 * 40 - 1 <= top <= 10 + 0.03 * 40 + 1
        assert 50 - 0.03 * 40 - 2 <= bottom <= 50 + 0.12 * 40 + 1


@given(st.lists(st.tuples(st.floats(-100, 200), st.floats(-100, 200)), min_size=4, max_size=4), st.integers(0, 99))
def test_a_tight_crop_of_a_package_that_leaves_the_photo_still_has_pixels(
    outline: list[tuple[float, float]], seed: int
) -> None:
    photo = np.zeros((60, 80, 3), np.uint8)
    part = module._tight(photo, np.array(outline, np.float32), np.random.default_rng(seed))
    assert min(part.shape[:2]) > 1
    assert part.shape[0] <= 60
    assert part.shape[1] <= 80


def test_a_pair_of_photos_is_of_two_different_ones() -> None:
    photos = [photo_of(colour) for colour in (0, 120, 250)]
    seen = set()
    for seed in range(30):
        pair = VIEWS.pair(photos, np.random.default_rng(seed))
        colours = tuple(_nearest(view) for view in pair)
        assert colours[0] != colours[1]
        seen.add(colours)
    assert len(seen) == 6  # every two, in both orders


def test_a_front_is_paired_with_a_drawn_photo_of_itself(front: Picture) -> None:
    catalogue, field = VIEWS.pair([front], np.random.default_rng(3))
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(catalogue, VIEWS.catalogue(front, rng))
    np.testing.assert_array_equal(field, VIEWS.field(front, rng))


def test_real_photos_stand_behind_packages_where_there_are_any(front: Picture) -> None:
    green = np.zeros((100, 100, 3), np.uint8)
    green[..., 1] = 255
    always = Views(SIZE, GREY, ViewOptions(photo_backdrop=1.0, tight=0.0), [green])
    for seed in range(5):
        view = always.field(front, np.random.default_rng(seed)).astype(int)
        assert ((view[..., 1] - view[..., 0]) > 60).mean() > 0.02


def _nearest(view: Picture) -> int:
    middle = int(view[SIZE // 2, SIZE // 2].mean())
    return min((0, 120, 250), key=lambda colour: abs(colour - middle))
