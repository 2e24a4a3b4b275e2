"""Lettering, pictograms and barcodes."""

import cv2
import numpy as np
import pytest

from skuscan_models.synthetic.canvas import blank, exact_remap, paint, warp
from skuscan_models.synthetic.details import barcode
from skuscan_models.synthetic.fonts import Face, any_face, text_mask
from skuscan_models.synthetic.packaging import design
from skuscan_models.synthetic.patterns import background
from skuscan_models.synthetic.pen import Pen, Style
from skuscan_models.synthetic.pictograms import PICTOGRAMS, draw_pictogram
from skuscan_models.synthetic.themes import THEMES

PAPER = (128, 128, 128)


@pytest.mark.parametrize("style", list(Style))
def test_every_pictogram_fills_its_square_and_stays_near_it(style):
    for name in PICTOGRAMS:
        picture = blank(240, 240, PAPER)
        draw_pictogram(Pen(picture, 120, 120, 60, 0.0, style, (40, 90, 150)), name)
        drawn = (picture != PAPER).any(axis=2)
        assert drawn[60:180, 60:180].mean() > 0.1, name
        assert not drawn[:30].any(), name
        assert not drawn[-30:].any(), name
        assert not drawn[:, :30].any(), name
        assert not drawn[:, -30:].any(), name


def test_every_pictogram_that_a_theme_names_exists():
    for theme in THEMES:
        named = (
            {f.pictogram for f in theme.flavours} | {f.second for f in theme.flavours if f.second} | set(theme.extras)
        )
        assert named <= set(PICTOGRAMS)


def test_pictograms_are_all_different():
    pictures = []
    for name in PICTOGRAMS:
        picture = blank(64, 64, PAPER)
        draw_pictogram(Pen(picture, 32, 32, 30), name)
        pictures.append(picture.tobytes())
    assert len(set(pictures)) == len(pictures)


def test_text_is_never_wider_than_asked():
    rng = np.random.default_rng(1)
    for number in range(60):
        face = any_face(rng, (), strong=bool(number % 2))
        mask = text_mask("Uncle Harandibury & Co", face, rng.uniform(4, 90), width := rng.uniform(12, 300))
        assert mask.shape[1] <= max(width, 1)
        assert mask.max() > 0


def test_texts_that_differ_in_one_letter_look_different():
    face = Face("opencv")
    assert not np.array_equal(text_mask("Lime", face, 40, 400), text_mask("Line", face, 40, 400))


def test_every_file_of_every_typeface_is_used_and_two_fonts_are_always_there():
    rng = np.random.default_rng(2)
    used = {any_face(rng, (("a-400", "a-700"), ("b",)), strong=True).font for _ in range(200)}
    assert used == {"pillow", "opencv", "a-400", "a-700", "b"}


def test_a_barcode_is_read_back_as_its_number():
    gtin = design(1, 4321, 5).gtin
    picture = blank(600, 739, (255, 255, 255))
    barcode(picture, gtin, (200, 200, 200 + 113 * 3, 400))
    found, *_ = cv2.barcode.BarcodeDetector().detectAndDecode(picture)
    assert found == gtin


def test_backgrounds_take_the_same_numbers_whatever_the_colours():
    for seed in range(40):
        first, second = np.random.default_rng(seed), np.random.default_rng(seed)
        background(first, 120, 90, (10, 20, 30), (250, 20, 30))
        background(second, 120, 90, (250, 220, 30), (0, 0, 0))
        assert first.bit_generator.state == second.bit_generator.state


def test_paint_leaves_and_replaces_exactly():
    picture, other = blank(10, 10, (255, 255, 255)), blank(10, 10, (3, 200, 77))
    mask = np.zeros((10, 10), np.uint8)
    mask[2:5, 2:5] = 255
    paint(picture, mask, other)
    assert (picture[2:5, 2:5] == (3, 200, 77)).all()
    assert (picture[mask == 0] == 255).all()


def test_a_warp_by_nothing_is_the_picture_itself():
    picture = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    assert np.array_equal(warp(picture, np.eye(3), (40, 30)), picture)
    x, y = np.meshgrid(np.arange(40.0), np.arange(30.0))
    assert np.array_equal(exact_remap(picture, x + 3, y)[:, :-3], picture[:, 3:])
