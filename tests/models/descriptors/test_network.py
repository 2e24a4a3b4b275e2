"""The loss by hand, and weights as whole numbers."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the network needs keras (requirements-train.txt)")

from skuscan.descriptors import SAMPLES, network_input  # noqa: E402
from skuscan_models.descriptors.network import BITS, PatchContrast, inputs_of, patch_network, whole_weights  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

FULL = 50.0  # whose tanh is 1
# Photo, x, y and size: two keypoints of the package, the same in the photo, and two others.
APART = [(0, 0, 0, 1), (0, 100, 0, 1)] * 2 + [(0, 200, 0, 1), (0, 300, 0, 1)]


def loss(package: list[int], photo: list[int], other: list[int], places: list[tuple[int, int, int, int]]) -> float:
    """Of two pairs whose codes are basis vectors, given by their numbers."""
    outputs = np.zeros((6, 8), np.float32)
    outputs[range(6), package + photo + other] = FULL
    return float(PatchContrast(temperature=1.0)(np.array(places, np.float32), outputs))


def test_loss_of_two_pairs_by_hand() -> None:
    # There: own 1, the other pair's photo 0, both others 0, the other package 0. Back: own 1, package 0, photo 0.
    there, back = np.log(np.e + 4), np.log(np.e + 2)
    assert loss([0, 1], [0, 1], [2, 3], APART) == pytest.approx(there + back - 2, abs=1e-5)


def test_pairs_mixed_up_cost_more() -> None:
    assert loss([0, 1], [1, 0], [2, 3], APART) > loss([0, 1], [0, 1], [2, 3], APART) + 1


def test_patches_that_all_but_coincide_are_no_negatives() -> None:
    together = [(0, 0, 0, 1), (0, 3, 0, 1)]
    # All four rows near each other: nothing is left but the pair itself, on each side.
    assert loss([0, 0], [0, 0], [0, 0], together * 3) == pytest.approx(0, abs=1e-5)


def test_near_places_of_two_photos_are_negatives() -> None:
    two_photos = [(0, 0, 0, 1), (1, 3, 0, 1)]
    there, back = np.log(np.e + 2 + 1), np.log(np.e + 2)
    # Of the two others, the own photo's lies near and does not count.
    assert loss([0, 1], [0, 1], [2, 3], two_photos * 3) == pytest.approx(there + back - 2, abs=1e-5)


def test_whole_numbers_give_the_networks_bits() -> None:
    keras.utils.set_random_seed(0)
    network = patch_network()
    patches = np.random.default_rng(0).integers(0, 256, (400, SAMPLES * SAMPLES)).astype(np.uint8)
    weights = whole_weights(network, patches)
    expected = np.asarray(network(inputs_of(patches))) > 0
    assert expected.shape == (400, BITS)
    assert (weights.bits(network_input(patches)) == expected).mean() > 0.985
