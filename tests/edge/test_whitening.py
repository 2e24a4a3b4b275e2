"""The whitened space in which products with several references are compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.whitening import PRIOR_REFERENCES, Whitening


def products(rng: np.random.Generator, count: int, references: int, noise: np.ndarray) -> list[np.ndarray]:
    """(references, 256) int8 each: a direction of its own, and noise of that size along each axis."""
    made = []
    for _ in range(count):
        rows = rng.standard_normal(256) + noise * rng.standard_normal((references, 256))
        made.append(np.rint(rows / np.abs(rows).max() * 127).astype(np.int8))
    return made


def directions(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)


def test_without_several_references_it_is_the_plain_cosine() -> None:
    rng = np.random.default_rng(0)
    (one,) = products(rng, 1, 1, np.ones(256))
    scan = rng.standard_normal(256).astype(np.float32)
    whitening = Whitening.of([])
    assert whitening.cosine(scan, one) == pytest.approx(scan @ directions(one)[0] / np.linalg.norm(scan))


def test_the_same_picture_twice_says_nothing() -> None:
    (one,) = products(np.random.default_rng(0), 1, 1, np.ones(256))
    assert np.array_equal(Whitening.of([np.repeat(one, 3, axis=0)]).inverse_covariance, np.eye(256))


def test_it_is_whitening_by_what_differs_within_products() -> None:
    """The same by another way: eigenvectors of the scatter, mixed with the unit matrix, and a plain cosine after."""
    rng = np.random.default_rng(1)
    several = products(rng, 40, 5, np.linspace(0.1, 2, 256))
    off = np.concatenate([directions(rows) - directions(rows).mean(axis=0) for rows in several])
    known = 40 * 4
    scatter = off.T @ off / known
    mixed = (known * scatter * 256 / np.trace(scatter) + PRIOR_REFERENCES * np.eye(256)) / (known + PRIOR_REFERENCES)
    variances, axes = np.linalg.eigh(mixed)
    whiten = axes / np.sqrt(variances)
    scan = rng.standard_normal(256)
    a, b = scan @ whiten, directions(several[3]).sum(axis=0) @ whiten
    expected = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    assert Whitening.of(several).cosine(scan.astype(np.float32), several[3]) == pytest.approx(expected, abs=1e-6)


def test_differences_that_photos_of_one_product_show_count_less() -> None:
    """In half of the axes photos of one product differ; scans are told apart by the other half."""
    rng = np.random.default_rng(2)
    several = products(rng, 60, 6, noise=np.repeat([6.0, 0.3], 128))
    scans = [(rows[0].astype(np.float64), rows[1:]) for rows in several]
    plain, whitened = Whitening.of([]), Whitening.of([rows for _, rows in scans])

    def right(whitening: Whitening) -> int:
        found = [np.argmax([whitening.cosine(scan.astype(np.float32), rows) for _, rows in scans]) for scan, _ in scans]
        return int((np.array(found) == np.arange(len(scans))).sum())

    assert right(whitened) > right(plain) + 5


@given(st.integers(0, 2**31), st.integers(2, 6))
def test_it_is_a_cosine(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-127, 128, (count, 256)).astype(np.int8)
    rows[rng.random(count) < 0.3] = 0
    whitening = Whitening.of([rows])
    for scan in (rng.standard_normal(256).astype(np.float32), rows[0].astype(np.float32), np.zeros(256, np.float32)):
        assert -1 - 1e-12 <= whitening.cosine(scan, rows) <= 1 + 1e-12
    if rows[0].any():
        assert whitening.cosine(rows[0].astype(np.float32), rows[:1]) == pytest.approx(1)
