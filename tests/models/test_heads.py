"""The head's fit, on vectors whose answer is known."""

import numpy as np
import numpy.typing as npt
import pytest

from skuscan.embedding import apply_head, unit
from skuscan.errors import ModelError
from skuscan.model import EMBEDDING_SIZE, Head
from skuscan_models.heads import fit_head, gem

CHANNELS = 320
PRODUCTS = 400
PICTURES = 4  # of each product
NUISANCES = 20  # directions in which pictures of one product differ much


@pytest.fixture(scope="module")
def world() -> tuple[npt.NDArray[np.float32], list[str]]:
    """Products that differ a little, under light and blur that differ a lot: (products * pictures, channels)."""
    rng = np.random.default_rng(0)
    products = rng.normal(0, 1, (PRODUCTS, 1, CHANNELS))
    nuisance = rng.normal(0, 10, (PRODUCTS, PICTURES, NUISANCES)) @ rng.normal(0, 1, (NUISANCES, CHANNELS))
    noise = rng.normal(0, 0.5, (PRODUCTS, PICTURES, CHANNELS))
    vectors = (5 + products + nuisance + noise).reshape(-1, CHANNELS).astype(np.float32)
    return vectors, [str(i // PICTURES) for i in range(len(vectors))]


def project(head: Head, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return unit(vectors @ head.projection + head.bias)


def right_at_first(vectors: npt.NDArray[np.float32], labels: list[str]) -> float:
    """Share of pictures 1.. of each product whose nearest picture 0 is that of the same product."""
    names = np.asarray(labels)
    first = np.arange(0, len(names), PICTURES)
    others = np.setdiff1d(np.arange(len(names)), first)
    nearest = (vectors[others] @ vectors[first].T).argmax(axis=1)
    return float((names[first][nearest] == names[others]).mean())


def test_what_differs_within_a_product_is_taken_off(world: tuple[npt.NDArray[np.float32], list[str]]) -> None:
    vectors, labels = world
    head = fit_head(vectors, labels, gem_p=2.0, shrinkage=0.001)
    plain = unit(vectors - vectors.mean(axis=0))
    assert right_at_first(plain, labels) < 0.2
    assert right_at_first(project(head, vectors), labels) > 0.95


def test_the_mean_picture_has_no_direction(world: tuple[npt.NDArray[np.float32], list[str]]) -> None:
    vectors, labels = world
    head = fit_head(vectors, labels, gem_p=2.0, shrinkage=1.0)
    at_mean = vectors.mean(axis=0) @ head.projection + head.bias
    spread = (vectors @ head.projection + head.bias).std()
    assert np.abs(at_mean).max() < 1e-3 * spread


def test_the_same_pictures_give_the_same_head(world: tuple[npt.NDArray[np.float32], list[str]]) -> None:
    vectors, labels = world
    heads = [fit_head(vectors, labels, gem_p=2.0, shrinkage=1.0) for _ in range(2)]
    assert heads[0].dump() == heads[1].dump()


def test_pooling_is_what_a_device_does() -> None:
    feature_map = np.random.default_rng(1).uniform(0, 6, (7, 7, CHANNELS)).astype(np.float32)
    for exponent in (1.0, 2.0, 3.0):
        identity = np.eye(CHANNELS, EMBEDDING_SIZE, dtype=np.float32)
        head = Head(exponent, identity, np.zeros(EMBEDDING_SIZE, np.float32), np.zeros(CHANNELS, np.float32))
        expected = apply_head(head, feature_map)
        np.testing.assert_allclose(unit(gem(feature_map, exponent)[:EMBEDDING_SIZE]), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("products", "pictures", "channels", "rule"),
    [
        (256, 2, CHANNELS, "more than 256 products"),
        (300, 2, 200, "products and channels"),
        (300, 1, CHANNELS, "several"),
    ],
)
def test_too_little_to_fit_on_is_refused(products: int, pictures: int, channels: int, rule: str) -> None:
    labels = [str(i) for i in range(products)] * pictures
    with pytest.raises(ModelError, match=rule):
        fit_head(np.ones((len(labels), channels), np.float32), labels, gem_p=2.0, shrinkage=1.0)
