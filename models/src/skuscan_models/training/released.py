"""A whole run: pictures in, trained model and its facts for the model card out."""

import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from skuscan.errors import PictureError
from skuscan_models.backbones import build_backbone
from skuscan_models.float_model import FloatModel, preprocess_spec
from skuscan_models.pictures import to_network
from skuscan_models.pretrained import load_imagenet_weights
from skuscan_models.synthetic.materials import PLAIN, Materials
from skuscan_models.training.batches import DRAWN, Batches
from skuscan_models.training.config import TrainingConfig, run
from skuscan_models.training.curves import draw_curves
from skuscan_models.training.fetch_materials import fetched_materials
from skuscan_models.training.network import backbone_of, blend, head_of, set_model, training_network
from skuscan_models.training.sources import Instance, load_sources
from skuscan_models.training.trainer import LOG_FILE, Progress, fit_head_of, seconds_of, train
from skuscan_models.training.validation import Embed, Question, questions, recall

CURVES_FILE = "curves.png"
EMBEDDED_AT_ONCE = 32  # pictures


def train_run(name: str, pictures: Path | None, materials: Path | None, folder: Path, progress: Progress) -> FloatModel:
    """Train, validate, and write the model into the run's folder.

    Args:
        name: Of the run, in `skuscan_models.training.config`.
        pictures: The folder of training pictures; None when the run has drawn packaging only.
        materials: The folder of fonts and clip art; None when the run draws packaging without.
        folder: Of the run.
        progress: Told after every step, and after every batch that the head is then fitted on.

    Raises:
        PictureError: The run needs pictures or materials that are not there.
        ModelError: There is no such run, or the folder holds another one.
    """
    config = run(name)
    if pictures is None and set(config.pairs) != {DRAWN}:
        raise PictureError("a run has the pictures that it is trained on", "no folder", "give it with --pictures")
    drawn_with = materials_of(config, materials)
    sources = load_sources(list(config.pairs), pictures, "train")
    network = train(config, sources, folder, progress, materials=drawn_with)
    trained_at = time.monotonic()
    start = build_backbone(config.backbone, None)
    load_imagenet_weights(start)
    blend(network, start, config.start_share)
    if config.last_head_batches:
        fit_head_of(network, config, Batches(config, sources, drawn_with), config.last_head_batches, progress)
    draw_curves(folder / LOG_FILE, folder / CURVES_FILE)
    size = preprocess_spec().size
    validation = recall(questions(pictures), embedder(network), size)
    facts = {"run": name} | facts_of(config, sources, validation, folder, trained_at)
    model = FloatModel(config.name, config.backbone, backbone_of(network), head_of(network), facts)
    model.save(folder)
    return model


def materials_of(config: TrainingConfig, folder: Path | None) -> Materials:
    """What the run draws packaging with. Raises PictureError when that is in `folder` only, and is not all there."""
    if not config.materials:
        return PLAIN
    if folder is None:
        advice = "fetch them with skuscan-models materials, and give the folder with --materials"
        raise PictureError("a run has the fonts and the clip art that packaging is drawn with", "no folder", advice)
    return fetched_materials(folder)


def facts_of(
    config: TrainingConfig,
    sources: Mapping[str, Sequence[Instance]],
    validation: Mapping[str, float],
    folder: Path,
    trained_at: float,
) -> dict[str, Any]:
    """What the model card tells of the run in `folder`, whose last step ended at `trained_at` of `time.monotonic`."""
    return {
        "steps": config.steps,
        "config": config.to_dict(),
        "instances": {name: len(instances) for name, instances in sources.items()},
        "validation": dict(validation),
        "seconds": round(seconds_of(folder / LOG_FILE) + time.monotonic() - trained_at),
        "machine": f"{platform.machine()}, Keras {keras.__version__} on {keras.backend.backend()}",
    }


def recall_of(model: FloatModel, asked: Mapping[str, Question]) -> dict[str, float]:
    """A trained model's answers to validation's questions: `validation.recall`, through the network that is trained."""
    network = training_network(model.backbone, frozen_blocks=0, gem_p=round(model.head.gem_p), attention_rate=1.0)
    set_model(network, model)
    return recall(asked, embedder(network), preprocess_spec().size)


def embedder(network: keras.Model) -> Embed:
    """A training network as `validation` asks it: (n, S, S, 3) uint8 -> (n, 256) float32 unit rows."""

    def embed(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        parts = [pixels[i : i + EMBEDDED_AT_ONCE] for i in range(0, len(pixels), EMBEDDED_AT_ONCE)]
        rows = [network.predict_on_batch(to_network(part, preprocess_spec())) for part in parts]
        return np.concatenate([np.asarray(row, np.float32) for row in rows])

    return embed
