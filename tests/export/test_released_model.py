"""The artefact in `models/artifacts`, as it is released. Needs no TensorFlow."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from skuscan.model import Model
from skuscan.runtime import Runtime
from skuscan_export.convert import MAX_BACKBONE_BYTES
from skuscan_export.parity import REQUIRED_MEAN, REQUIRED_MIN
from skuscan_models.artifacts import released_folder

PARITY_FILE = "parity.json"
PARITY_PICTURES = 200


@pytest.fixture
def folder() -> Path:
    return released_folder()


def test_its_files_have_the_sums_beside_them(folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, check=True)


def test_it_is_small_enough(folder: Path) -> None:
    assert (folder / "backbone.tflite").stat().st_size < MAX_BACKBONE_BYTES


def test_raw_pixels_are_what_its_network_reads(released_model: Model) -> None:
    runtime = Runtime.open(released_model.backbone)
    spec = released_model.artifact.preprocess
    assert runtime.input_side == spec.size
    assert runtime.input_scale == pytest.approx(1 / spec.scale, abs=1e-9)
    assert runtime.input_zero_point == spec.offset


def test_its_feature_map_fits_its_head(released_model: Model) -> None:
    runtime = Runtime.open(released_model.backbone)
    grey = np.full((1, runtime.input_side, runtime.input_side, 3), 90, np.uint8)
    feature_map = runtime.run(grey)
    assert feature_map.shape == (7, 7, released_model.head.projection.shape[0])
    assert feature_map.min() >= 0


def test_its_int8_embeddings_were_close_to_the_float_ones_when_it_was_released(
    folder: Path, released_model: Model
) -> None:
    parity = json.loads((folder / PARITY_FILE).read_text())
    assert parity["pictures"] >= PARITY_PICTURES
    assert parity["mean"] >= REQUIRED_MEAN
    assert parity["minimum"] >= REQUIRED_MIN
    artifact = released_model.artifact
    measured_on = (parity["backbone"], parity["head"])
    assert measured_on == (artifact.backbone.sha256.hex(), artifact.head.sha256.hex()), "measured on another artefact"
    card = (folder / "MODEL_CARD.md").read_text()
    assert f"{parity['minimum']:.4f}" in card
    assert artifact.backbone.sha256.hex() in card
    assert artifact.head.sha256.hex() in card
