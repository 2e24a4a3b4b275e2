"""The trained network and what devices compute with its weights are one."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the network needs keras (requirements-train.txt)")

from skuscan.likeness import NUMBERS, SIDE, load, network_input, pack  # noqa: E402
from skuscan_models.likeness.network import Signs, device_weights, likeness_network  # noqa: E402
from skuscan_models.likeness.print_pairs import PrintPairs  # noqa: E402
from skuscan_models.likeness.training import LikenessConfig, batch_of, compiled_network, save, told_apart  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras


@pytest.fixture(scope="module")
def pairs() -> PrintPairs:
    """References of noise, and scans of half of them: alike, or another's."""
    rng = np.random.default_rng(0)
    references = np.kron(rng.integers(0, 256, (48, 16, 16, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    same = np.arange(48) % 2 == 0
    scans = np.where(same[:, None, None, None], references, np.roll(references, 1, axis=0))
    return PrintPairs(references, scans, same, np.arange(48))


def test_a_device_computes_what_was_trained(pairs: PrintPairs, tmp_path: Path) -> None:
    config = LikenessConfig(batch=16, steps=3)
    network = compiled_network(config)
    for step in range(3):  # so that batch normalisation has something to say
        network.train_on_batch(*batch_of(pairs, np.arange(48), step, config))
    save(device_weights(network), tmp_path / "likeness.npz")
    device = load((tmp_path / "likeness.npz").read_bytes())
    inputs = [network_input(pairs.references[:6]), network_input(pairs.scans[:6])]
    expected = np.asarray(network.predict_on_batch(inputs))[:, 0]
    codes = [pack(device.encode(crop)) for crop in pairs.references[:6]]
    found = [device.compare(code, crop) for code, crop in zip(codes, pairs.scans[:6], strict=True)]
    assert found == pytest.approx(expected, abs=0.05)  # weights are kept as float16
    assert np.ptp(expected) > 0.01


def test_it_learns_to_tell_prints_apart(pairs: PrintPairs) -> None:
    config = LikenessConfig(batch=32, warm_up=1)
    network = compiled_network(config)
    for step in range(25):
        network.train_on_batch(*batch_of(pairs, np.arange(48), step, config))
    assert told_apart(network, pairs)["auroc"] > 0.9


def test_signs_pass_gradients() -> None:
    values = keras.Variable(np.full((1, 2, 2, NUMBERS), 0.3, np.float32))
    assert np.asarray(Signs()(values)) == pytest.approx(NUMBERS**-0.5)
    assert (np.asarray(Signs()(-values)) < 0).all()


def test_the_network_takes_crops() -> None:
    network = likeness_network()
    assert [tuple(given.shape) for given in network.inputs] == [(None, SIDE, SIDE, 3)] * 2
    assert tuple(network.output.shape) == (None, 1)
