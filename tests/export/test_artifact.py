"""An artefact's folder: written, read back as a device does, and written again."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format

from skuscan.errors import ModelError
from skuscan.model import ARTIFACT_FILE, EMBEDDING_SIZE, Head, Model
from skuscan.proto.bundle_pb2 import ModelArtifact, PreprocessSpec
from skuscan_export.artifact import artifact_json, write_artifact, write_sums
from skuscan_export.card import CARD_FILE, add_parity, add_results, write_card
from skuscan_export.parity import Parity
from skuscan_models.float_model import MODEL_FILE
from skuscan_models.training.config import RUNS, TrainingConfig

SPEC = PreprocessSpec(size=224, letterbox_grey=255, scale=128.0, offset=127.0, channel_order="RGB", resampling="area")
HEAD = Head(
    2.0, np.ones((8, EMBEDDING_SIZE), np.float32), np.zeros(EMBEDDING_SIZE, np.float32), np.zeros(8, np.float32)
)
PARITY = Parity(
    pictures=200,
    mean=0.9944,
    minimum=0.986,
    worst="a.jpg",
    same_neighbour=0.9,
    runtime="LiteRT 2",
    backbone="ab" * 32,
    head="cd" * 32,
)


def result_of(title: str, rate: float | None) -> dict[str, object]:
    interval = None if rate is None else [0.8, 0.95]
    rates = {
        name: value
        for kind in ("recall_at_1", "coverage", "precision")
        for name, value in ((kind, rate), (f"{kind}_interval", interval))
    }
    return {"title": title, "n": 30, "ablation": {"embedding": {"recall_at_1": 0.7}}} | rates


def write(folder: Path, backbone: bytes = b"network") -> ModelArtifact:
    return write_artifact(folder, "name", backbone, HEAD, SPEC)


def change_tuned_parts(folder: Path) -> ModelArtifact:
    """What another tool does to the keypoint spec and the decision."""
    artifact = json_format.Parse((folder / ARTIFACT_FILE).read_text(), ModelArtifact())
    artifact.keypoints.reference_keypoints = 123
    artifact.decision.weights["similarity"] = 7.5
    (folder / ARTIFACT_FILE).write_text(artifact_json(artifact))
    write_sums(folder)
    return artifact


def test_what_is_written_is_a_model_that_a_device_opens(tmp_path: Path, released_model: Model) -> None:
    write(tmp_path / "new")
    model = Model.open_folder(tmp_path / "new")
    assert model.artifact.name == "name"
    assert model.artifact.keypoints == released_model.artifact.keypoints
    assert model.artifact.decision == released_model.artifact.decision
    np.testing.assert_array_equal(model.head.projection, HEAD.projection)


def test_exporting_again_keeps_the_tuned_keypoints_and_the_fitted_decision(tmp_path: Path) -> None:
    write(tmp_path)
    tuned = change_tuned_parts(tmp_path)
    again = write(tmp_path, b"a better network")
    assert again.keypoints == tuned.keypoints
    assert again.decision == tuned.decision
    assert Model.open_folder(tmp_path).backbone.read_bytes() == b"a better network"


def test_the_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    write(tmp_path)
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / ARTIFACT_FILE).write_text("{}")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_a_folder_with_a_broken_artifact_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ARTIFACT_FILE).write_text("not JSON")
    with pytest.raises(ModelError, match=r"artifact\.json holds a ModelArtifact"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ARTIFACT_FILE]


@pytest.fixture
def card(tmp_path: Path, released_model: Model) -> Callable[..., str]:
    """Write an artefact with some facts of its training, and give its card."""

    def write_facts(**facts: Any) -> str:
        write(tmp_path, released_model.backbone.read_bytes())
        facts = {"config": TrainingConfig("name").to_dict(), "seconds": 3600, "machine": "x86_64, Keras 3"} | facts
        about = {"name": "name", "backbone": "efficientnet-lite0", "training": facts}
        (tmp_path / MODEL_FILE).write_text(json.dumps(about))
        write_card(tmp_path, calibration="100 drawn pictures")
        add_parity(tmp_path, PARITY)
        add_parity(tmp_path, replace(PARITY, mean=0.9951))
        return (tmp_path / CARD_FILE).read_text()

    return write_facts


def test_the_card_says_what_went_in_and_the_last_parity_only(card: Callable[..., str]) -> None:
    text = card(run="all", steps=500, instances={"boxes": 1617, "produce": 50}, validation={"boxes": 0.9})
    assert "100 drawn pictures" in text
    assert "1,617 instances" in text
    assert "60 minutes" in text
    assert "skuscan-models train --run all" in text
    assert "0.9951" in text
    assert "0.9944" not in text
    assert "Every op is on the list" in text


def test_the_card_says_whose_fonts_and_clip_art_drawn_packaging_has(card: Callable[..., str]) -> None:
    facts = {"run": "clean", "steps": 5, "instances": {}, "validation": {"drawn": 0.9}}
    text = card(**facts, config=RUNS["clean"].to_dict())
    assert "openclipart (public domain)" in text
    assert "skuscan-models materials --out MATERIALS\n" in text
    assert "materials" not in card(**facts, config=RUNS["all"].to_dict())


def test_the_card_has_the_last_results_of_its_own_model(tmp_path: Path, card: Callable[..., str]) -> None:
    card(run="all", steps=500, instances={}, validation={"boxes": 0.9})
    space = Model.open_folder(tmp_path).feature_space.hex()
    sets = {"a": result_of("packages", 0.9), "b": result_of("produce", None)}
    report = {"model": "name", "command": "make eval", "feature_space": space, "sets": sets}
    file = tmp_path / "recognition.json"
    for command in ("an old one", "make eval"):
        file.write_text(json.dumps(report | {"command": command}))
        add_results(tmp_path, file)
    add_parity(tmp_path, replace(PARITY, mean=0.9961))
    text = (tmp_path / CARD_FILE).read_text()
    assert "| packages | 30 | 0.900 (0.80-0.95) | 0.700 | 0.900 (0.80-0.95) | 0.900 (0.80-0.95) |" in text
    assert "| produce | 30 | - | 0.700 | - | - |" in text
    assert "an old one" not in text
    assert "0.9961" in text
    assert "0.9951" not in text
    assert text.count("## Results") == text.count("## Parity") == 1
    file.write_text(json.dumps(report | {"feature_space": "00"}))
    with pytest.raises(ModelError, match="results of its own model"):
        add_results(tmp_path, file)


def test_a_finetuned_models_card_says_what_it_started_from(card: Callable[..., str]) -> None:
    validation = {"catalogue": 0.9, "catalogue before": 0.8}
    text = card(started_from="base", steps=100, instances={"catalogue": 437}, validation=validation)
    assert "Start: the model `base`" in text
    assert "skuscan-models finetune --catalogue CSV --from base --steps 100" in text
    assert "catalogue 0.900, catalogue before 0.800" in text
    assert "skuscan-models train" not in text


@pytest.mark.parametrize(
    ("mean", "minimum", "passes"), [(0.99, 0.98, True), (0.9899, 0.985, False), (0.995, 0.9799, False)]
)
def test_parity_passes_only_with_both_its_mean_and_its_minimum(mean: float, minimum: float, passes: bool) -> None:
    assert replace(PARITY, mean=mean, minimum=minimum).passes is passes
