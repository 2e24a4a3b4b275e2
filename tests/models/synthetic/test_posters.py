"""Fronts without a grammar."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from skuscan_models.synthetic import packaging, posters
from skuscan_models.synthetic.elements import Sheet
from skuscan_models.synthetic.materials import PLAIN, Materials
from skuscan_models.synthetic.packaging import design, draw_front

FAMILIES = range(60)
ART = np.full((40, 40, 4), 255, np.uint8)
GREEN = (20, 230, 60)
PHOTO = np.full((120, 160, 3), GREEN, np.uint8)
MATERIALS = Materials(art=(ART,), photos=(PHOTO,))


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[Sheet]:
    """The sheets of all posters that a test draws."""
    sheets: list[Sheet] = []
    draw: Callable[..., None] = posters.lay_out_poster

    def recorded(sheet: Sheet, *rest: Any) -> None:
        draw(sheet, *rest)
        sheets.append(sheet)

    monkeypatch.setattr(packaging, "lay_out_poster", recorded)
    return sheets


def green_share(picture: npt.NDArray[np.uint8]) -> float:
    return float((np.abs(picture.astype(int) - GREEN).max(axis=2) < 3).mean())


def test_half_of_the_families_with_materials_are_posters_and_none_without(laid_out: list[Sheet]) -> None:
    for family in FAMILIES:
        draw_front(design(2, family, 0), PLAIN)
    assert not laid_out
    for family in FAMILIES:
        draw_front(design(2, family, 0), MATERIALS)
    assert 18 <= len(laid_out) <= 42


def test_variants_of_a_family_draw_the_same_numbers_and_differ(laid_out: list[Sheet]) -> None:
    for family in FAMILIES:
        fronts = [draw_front(design(2, family, variant), MATERIALS) for variant in (0, 1, 0)]
        assert np.array_equal(fronts[0], fronts[2])
        assert not np.array_equal(fronts[0], fronts[1])
    for first, second in zip(laid_out[::3], laid_out[1::3], strict=True):
        assert first.rng.bit_generator.state == second.rng.bit_generator.state


def test_photos_are_printed_on_fronts_to_the_edges_or_in_panels(laid_out: list[Sheet]) -> None:
    shares = []
    for family in FAMILIES:
        before = len(laid_out)
        draw_front(design(2, family, 0), MATERIALS)
        shares += [green_share(sheet.picture) for sheet in laid_out[before:]]
    assert sum(share > 0.02 for share in shares) > len(shares) / 4
    assert any(0.02 < share < 0.3 for share in shares)
    assert sum(share > 0.5 for share in shares) > 1


def test_the_words_of_a_product_stand_on_its_poster(monkeypatch: pytest.MonkeyPatch, laid_out: list[Sheet]) -> None:
    written: list[str] = []
    mask_of = posters.text_mask

    def recorded(text: str, *rest: Any) -> Any:
        written.append(text)
        return mask_of(text, *rest)

    for module in ("posters", "elements", "details"):
        monkeypatch.setattr(f"skuscan_models.synthetic.{module}.text_mask", recorded)
    for family in FAMILIES:
        written.clear()
        product, before = design(2, family, 1), len(laid_out)
        draw_front(product, MATERIALS)
        for sheet in laid_out[before:]:
            assert {sheet.noun, product.flavour, product.size_text} <= set(written)
            assert all(word in " ".join(written) for word in product.brand.split(" "))


def test_a_toned_photo_goes_from_black_over_the_tint_to_white() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    toned = posters._toned(ramp, (200, 40, 0))
    assert toned[0, 0].tolist() == [0, 0, 0]
    assert np.abs(toned[0, 128].astype(int) - (200, 40, 0)).max() <= 2
    assert toned[0, 255].tolist() == [255, 255, 255]
    assert (np.diff(toned[0].astype(int), axis=0) >= 0).all()


@pytest.mark.parametrize("turn", [0.3, -1.0, np.pi / 2, -np.pi / 2, 3.0])
def test_turned_words_are_whole(turn: float) -> None:
    mask = np.full((20, 90), 255, np.uint8)
    turned = posters._turned(mask, turn)
    assert int(turned.sum()) == pytest.approx(int(mask.sum()), rel=0.03)
    assert not turned[0].any()
    assert not turned[:, 0].any()


def test_words_up_a_side_are_turned_by_a_quarter() -> None:
    mask = np.zeros((20, 90), np.uint8)
    mask[:, :30] = 255  # the line begins here
    up = posters._turned(mask, -np.pi / 2)
    assert up.shape[0] > up.shape[1]
    assert up[: up.shape[0] // 2].sum() < up[up.shape[0] // 2 :].sum()
