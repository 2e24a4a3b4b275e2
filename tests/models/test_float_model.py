"""A float model on disk; skipped where Keras is not installed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="a float model needs keras (requirements-train.txt)")

from skuscan.errors import ModelError  # noqa: E402
from skuscan.model import EMBEDDING_SIZE, Head  # noqa: E402
from skuscan_models.backbones import build_backbone  # noqa: E402
from skuscan_models.float_model import MODEL_FILE, WEIGHTS_FILE, FloatModel, preprocess_spec  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

BACKBONE, CHANNELS = "mobilenet-v3-small-minimalistic", 576
HALF = 1e-3  # of a float16


@pytest.fixture(scope="module")
def model() -> FloatModel:
    network: Any = build_backbone(BACKBONE, preprocess_spec().size)
    rng = np.random.default_rng(1)
    projection = rng.normal(0, 1, (CHANNELS, EMBEDDING_SIZE)).astype(np.float32)
    bias, attention = np.zeros(EMBEDDING_SIZE, np.float32), np.full(CHANNELS, 0.5, np.float32)
    return FloatModel("small", BACKBONE, network, Head(3.0, projection, bias, attention), {"steps": 3})


@pytest.fixture
def saved(model: FloatModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_what_is_saved_is_loaded(model: FloatModel, saved: Path) -> None:
    loaded = FloatModel.load(saved)
    assert (loaded.name, loaded.backbone, loaded.training) == (model.name, model.backbone, model.training)
    np.testing.assert_array_equal(loaded.head.projection, model.head.projection)
    np.testing.assert_array_equal(loaded.head.attention, model.head.attention)
    for found, expected in zip(loaded.network.get_weights(), model.network.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=HALF, atol=1e-7)


@pytest.mark.parametrize("name", [MODEL_FILE, WEIGHTS_FILE, "head.npz"])
def test_a_folder_without_one_of_its_files_is_refused(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelError, match=name):
        FloatModel.load(saved)


def test_weights_of_another_backbone_are_refused(saved: Path) -> None:
    about = json.loads((saved / MODEL_FILE).read_text())
    (saved / MODEL_FILE).write_text(json.dumps(about | {"backbone": "mobilenet-v2"}))
    with pytest.raises(ModelError, match="weights fit the backbone"):
        FloatModel.load(saved)


def test_cut_weights_are_refused(saved: Path) -> None:
    cut(saved / WEIGHTS_FILE)
    with pytest.raises(ModelError, match="weights fit the backbone"):
        FloatModel.load(saved)


def test_a_cut_head_is_refused(saved: Path) -> None:
    cut(saved / "head.npz")
    with pytest.raises(ModelError, match="head holds the arrays"):
        FloatModel.load(saved)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])
