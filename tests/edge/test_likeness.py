"""The comparison of two prints: its sums by hand, and what it takes out of pictures."""

import cv2
import numpy as np
import pytest

from skuscan.likeness import (
    CODE_BYTES,
    GRID,
    NUMBERS,
    SIDE,
    Layer,
    Likeness,
    common,
    crop,
    network_input,
    pack,
    signs,
)

RNG = np.random.default_rng(0)


def layer(size: int, channels: int, outputs: int, stride: int = 1) -> Layer:
    rng = np.random.default_rng((size, channels, outputs))
    kernel = rng.normal(0, 0.3, (size, size, channels, outputs)).astype(np.float32)
    return Layer(kernel, rng.normal(0, 1, outputs).astype(np.float32), stride)


def network(mix: tuple[float, float, float] = (0, 1, 1)) -> Likeness:
    encoder = (layer(3, 3, 4, 2), layer(3, 4, 4, 2), layer(3, 4, 4, 2), layer(1, 4, NUMBERS))
    return Likeness(encoder, (layer(3, 9 + 2 * NUMBERS, 6), layer(1, 6, 2)), np.array(mix, np.float32))


def judging(logits: np.ndarray, counts: np.ndarray, mix: tuple[float, float, float]) -> float:
    """The verdict on given logits and counts of places: the judge copies the scan's first two numbers."""
    scan = np.zeros((GRID, GRID, NUMBERS), np.float32)
    scan[..., 0], scan[..., 1] = logits, counts
    kernel = np.zeros((1, 1, 9 + 2 * NUMBERS, 2), np.float32)
    kernel[0, 0, 9 + NUMBERS, 0] = kernel[0, 0, 9 + NUMBERS + 1, 1] = 1
    judge = Likeness((), (Layer(kernel, np.zeros(2, np.float32), 1),), np.array(mix, np.float32))
    object.__setattr__(judge, "encode", lambda _: scan)
    return judge.compare(bytes(CODE_BYTES), np.zeros((SIDE, SIDE, 3), np.uint8))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_layer_is_a_convolution(stride: int) -> None:
    some, values = layer(3, 2, 5, stride), RNG.normal(size=(6, 8, 2)).astype(np.float32)
    around = np.zeros((8, 10, 2), np.float32)
    around[1:-1, 1:-1] = values
    found = some(values)
    assert found.shape == (6 // stride, 8 // stride, 5)
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            window = around[row * stride : row * stride + 3, column * stride : column * stride + 3]
            expected = np.einsum("hwc,hwco->o", window, some.kernel) + some.bias
            assert found[row, column] == pytest.approx(expected, abs=1e-5)


def test_a_code_keeps_the_signs() -> None:
    numbers = RNG.normal(size=(GRID, GRID, NUMBERS)).astype(np.float32)
    code = pack(numbers)
    assert len(code) == CODE_BYTES
    assert np.array_equal(np.sign(signs(code)), np.sign(numbers))
    assert np.linalg.norm(signs(code), axis=2) == pytest.approx(1)


def test_common_places_are_cosines_with_the_neighbours() -> None:
    reference = signs(pack(RNG.normal(size=(GRID, GRID, NUMBERS)).astype(np.float32)))
    shifted = np.roll(reference, (1, -1), axis=(0, 1)) * 7  # a place's own number is one row on, one column back
    found = common(reference, shifted)
    assert found.shape == (GRID, GRID, 9 + 2 * NUMBERS)
    assert found[1:-1, 1:-1, 6] == pytest.approx(1)  # down by one, to the left by one
    assert np.array_equal(found[..., 9 : 9 + NUMBERS], reference)
    assert np.linalg.norm(found[..., 9 + NUMBERS :], axis=2) == pytest.approx(1)
    assert np.array_equal(found[0, 0, [0, 1, 2, 3, 6]], np.zeros(5))  # beyond the border


def test_the_verdict_is_a_mean_and_the_least() -> None:
    logits, counts = (RNG.normal(size=(GRID, GRID)) for _ in range(2))
    lengths = np.sqrt(logits**2 + counts**2)
    logits, counts = logits / lengths, counts / lengths  # the scan's numbers are compared at unit length
    weights = np.exp(counts) / np.exp(counts).sum()
    least = -np.log(np.exp(-logits).mean())
    assert judging(logits, counts, (0.5, 2, 0)) == pytest.approx(0.5 + 2 * (weights * logits).sum(), abs=1e-5)
    assert judging(logits, counts, (0, 0, 3)) == pytest.approx(3 * least, abs=1e-5)


def test_light_is_taken_out() -> None:
    picture = cv2.blur(RNG.integers(60, 180, (SIDE, SIDE, 3)).astype(np.uint8), (9, 9)).astype(np.uint8)
    contrast = picture.std(axis=(0, 1)).mean()
    darker = picture * np.array([0.7, 0.7, 0.7]) - 20
    same, other = network_input(picture), network_input(darker.astype(np.uint8))
    assert same.mean(axis=(0, 1)) == pytest.approx(0, abs=1e-5)
    assert np.corrcoef(same.ravel(), other.ravel())[0, 1] > 0.99
    assert np.sqrt((same**2).mean(axis=(0, 1))).mean() == pytest.approx(contrast / (contrast + 8), abs=1e-3)


def test_a_crop_is_the_part_that_a_homography_names() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[100:200, 250:350] = (200, 100, 50)
    assert (crop(picture, np.array([[100, 0, 250], [0, 100, 100], [0, 0, 1.0]]))[2:-2, 2:-2] == (200, 100, 50)).all()
    wider = crop(picture, np.array([[200, 0, 200], [0, 200, 50], [0, 0, 1.0]]))
    quarter = SIDE // 4
    assert (wider[quarter + 2 : -quarter - 2, quarter + 2 : -quarter - 2] == (200, 100, 50)).all()
    assert not wider[: quarter - 2].any()


def test_a_comparison_is_finite_whatever_is_seen() -> None:
    some = network((0.1, 50, 50))
    plain, noise = np.full((SIDE, SIDE, 3), 255, np.uint8), RNG.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    with np.errstate(all="raise"):
        for code in (pack(some.encode(plain)), pack(some.encode(noise))):
            assert all(np.isfinite(some.compare(code, seen)) for seen in (plain, noise))
