"""Fonts and clip art of drawn packaging."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import ImageFont

from skuscan.errors import PictureError
from skuscan_models.synthetic import packaging
from skuscan_models.synthetic.canvas import blank
from skuscan_models.synthetic.fonts import Face, any_face
from skuscan_models.synthetic.materials import PLAIN, Artwork, Materials, choose_artwork, load_materials
from skuscan_models.synthetic.packaging import design, draw_front
from skuscan_models.synthetic.pen import Pen, Style

PURPLE, PAPER = (150, 0, 150), (255, 255, 255)
FAMILIES = range(24)


def cutting(colour: tuple[int, int, int], height: int = 40, width: int = 40) -> npt.NDArray[np.uint8]:
    """Clip art: a rectangle of one colour on a transparent ground that is a quarter of it wide on each side."""
    art = np.zeros((height, width, 4), np.uint8)
    art[height // 4 : -(height // 4), width // 4 : -(width // 4)] = (*colour, 255)
    return art


def purple_pixels(picture: npt.NDArray[np.uint8]) -> int:
    return int((np.abs(picture.astype(int) - PURPLE).max(axis=2) < 3).sum())


@pytest.fixture(scope="module")
def font_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Pillow's own font, as a file."""
    path = tmp_path_factory.mktemp("fonts") / "font.ttf"
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    path.write_bytes(font.font_bytes)
    return str(path)


def test_typefaces_change_letters_and_nothing_of_the_shape(font_file: str) -> None:
    materials = Materials(fonts=((font_file,),) * 20)
    changed = 0
    for family in FAMILIES:
        plain, lettered = (draw_front(design(2, family, 0), chosen) for chosen in (PLAIN, materials))
        assert plain.shape == lettered.shape
        different = np.abs(plain.astype(int) - lettered).max(axis=2) > 24
        assert different.mean() < 0.35
        changed += bool(different.any())
    assert changed > len(FAMILIES) / 4  # the others had Pillow's font already


def test_brands_and_plain_text_both_choose_among_the_typefaces(monkeypatch: pytest.MonkeyPatch, font_file: str) -> None:
    asked = []

    def recorded(rng: np.random.Generator, typefaces: Sequence[Sequence[str]], strong: bool) -> Face:
        asked.append((tuple(typefaces), strong))
        return any_face(rng, typefaces, strong)

    monkeypatch.setattr(packaging, "any_face", recorded)
    fonts = ((font_file,),)
    draw_front(design(2, 0, 0), Materials(fonts=fonts))
    assert asked == [(fonts, True), (fonts, False)]


def test_clip_art_is_on_most_brands_and_the_same_whenever_one_is_drawn() -> None:
    materials = Materials(art=(cutting(PURPLE),))
    fronts = [draw_front(design(2, family, 0), materials) for family in FAMILIES]
    shown = sum(purple_pixels(front) > 50 for front in fronts)
    assert len(FAMILIES) * 0.3 < shown < len(FAMILIES)
    assert np.array_equal(draw_front(design(2, 3, 0), materials), fronts[3])


def test_two_of_three_brands_have_clip_art_and_one_of_five_of_those_the_same_on_every_variant() -> None:
    rng = np.random.default_rng(4)
    chosen = [choose_artwork(rng, Materials(art=(cutting(PURPLE),))) for _ in range(600)]
    brands = [artwork for artwork in chosen if artwork is not None]
    assert 0.58 < len(brands) / len(chosen) < 0.72
    assert 0.13 < sum(artwork.alike for artwork in brands) / len(brands) < 0.27
    assert choose_artwork(rng, PLAIN) is None


def test_names_have_different_pictures_unless_all_are_alike() -> None:
    art = tuple(cutting((shade, 0, 0)) for shade in range(100, 200))
    names = ("apple", "pear", "star", "cow")
    for alike, different in ((False, len(names)), (True, 1)):
        drawn = set()
        for name in names:
            picture = blank(60, 60, PAPER)
            Artwork(art, 7, alike, flipped=False).draw(Pen(picture, 30, 30, 20), name)
            drawn.add(picture.tobytes())
        assert len(drawn) == different


def test_a_picture_fills_the_pens_square_and_is_cut_at_the_border() -> None:
    artwork = Artwork((cutting(PURPLE, 300, 300),), 0, alike=True, flipped=True)
    picture = blank(80, 100, PAPER)
    artwork.draw(Pen(picture, 40, 30, 20), "apple")
    rows, columns = np.nonzero((picture != PAPER).any(axis=2))
    assert (rows.min(), columns.min()) == pytest.approx((20, 30), abs=1.5)  # half of the square is ink
    assert (rows.max(), columns.max()) == pytest.approx((40, 50), abs=1.5)
    for x, y in ((0, 0), (100, 40), (500, 500)):
        artwork.draw(Pen(picture, x, y, 20, turn=0.4), "apple")


def test_only_one_colour_brands_tint_their_pictures() -> None:
    artwork = Artwork((cutting((40, 200, 60)),), 0, alike=True, flipped=False)
    for style, greenest in ((Style.SHADED, 1), (Style.ONE_COLOUR, 0)):
        picture = blank(60, 60, PAPER)
        artwork.draw(Pen(picture, 30, 30, 20, style=style, tint=(200, 30, 40)), "apple")
        assert int(np.argmax(picture[30, 30])) == greenest


def test_a_folder_is_loaded_in_order_with_red_first(tmp_path: Path) -> None:
    for path in ("fonts/bold/b-700.woff2", "fonts/bold/b-400.woff2", "fonts/alone/a.woff2"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "art").mkdir()
    red = cutting((250, 10, 20))
    cv2.imwrite(str(tmp_path / "art" / "a.png"), cv2.cvtColor(red, cv2.COLOR_RGBA2BGRA))
    loaded = load_materials(tmp_path)
    assert [[Path(file).name for file in files] for files in loaded.fonts] == [
        ["a.woff2"],
        ["b-400.woff2", "b-700.woff2"],
    ]
    assert np.array_equal(loaded.art[0], red)


def test_another_kind_of_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "art").mkdir()
    cv2.imwrite(str(tmp_path / "art" / "a.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(PictureError, match="RGB with opacity"):
        load_materials(tmp_path)
