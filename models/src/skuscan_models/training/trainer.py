"""A training run: resumable, seeded, logged.

1. Start: ImageNet's weights, and a head that is fitted on pooled features of the run's own batches
   (`heads.fit_head`); or a trained model.
2. For each step: draw the batch, set the rate (`schedule.py`), let Keras do the step on whichever backend
   `KERAS_BACKEND` names.
3. Append to `log.csv`; every few steps, write a checkpoint with the optimizer's state.

A run that was stopped goes on from its last checkpoint: batch k is the same whenever it is drawn.
"""

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from skuscan.errors import ModelError
from skuscan_models.checkpoint import keep, resume
from skuscan_models.float_model import FloatModel
from skuscan_models.heads import fit_head
from skuscan_models.pretrained import load_imagenet_weights
from skuscan_models.synthetic.materials import PLAIN, Materials
from skuscan_models.training.batches import Batches
from skuscan_models.training.config import TrainingConfig
from skuscan_models.training.losses import build_loss
from skuscan_models.training.network import (
    backbone_of,
    head_of,
    pooled_features,
    set_head,
    set_model,
    training_network,
)
from skuscan_models.training.schedule import Schedule
from skuscan_models.training.sources import Instance

CONFIG_FILE, LOG_FILE, CHECKPOINT_FILE = "config.json", "log.csv", "checkpoint.npz"
LOG_FIELDS = ("step", "size", "rate", "loss", "accuracy", "seconds")
HEAD_SHRINKAGE = 1.0  # see `fit_head`

Progress = Callable[[int, Mapping[str, float]], None]
Start = Callable[[keras.Model, TrainingConfig, Batches], None]  # fills a new training network


def from_imagenet(network: keras.Model, config: TrainingConfig, batches: Batches) -> None:
    """Fill the backbone, and fit the head. A `Start`."""
    load_imagenet_weights(backbone_of(network))
    fit_head_of(network, config, batches, config.head_batches)


def fit_head_of(
    network: keras.Model,
    config: TrainingConfig,
    batches: Batches,
    count: int,
    progress: Progress = lambda *_: None,
) -> None:
    """Fit the projection, in place, by `fit_head` on the `count` batches that would follow the run; the pooling stays.

    `progress` is told after every batch, as after a step, with no numbers.
    """
    features = pooled_features(network)
    pooled, labels = [], []
    for step, batch in enumerate(batches.between(config.steps, config.steps + count), config.steps):
        pooled.append(features.predict_on_batch(batch.pictures))
        labels += [f"{step}-{instance:.0f}" for instance in batch.labels[:, 0]]
        progress(step + 1, {})
    head = fit_head(np.concatenate(pooled), labels, config.gem_p, HEAD_SHRINKAGE)
    set_head(network, replace(head, attention=head_of(network).attention))


def from_model(model: FloatModel) -> Start:
    """Go on from a trained model, its head included. Raises ModelError when the run has another backbone or GeM."""

    def start(network: keras.Model, config: TrainingConfig, _: Batches) -> None:
        if (config.backbone, config.gem_p) != (model.backbone, model.head.gem_p):
            received = f"{model.name}: {model.backbone}, exponent {model.head.gem_p:g}"
            raise ModelError(f"the model to start from is {config.backbone} with exponent {config.gem_p}", received)
        set_model(network, model)

    return start


def train(
    config: TrainingConfig,
    sources: Mapping[str, Sequence[Instance]],
    folder: Path,
    progress: Progress,
    start: Start = from_imagenet,
    materials: Materials = PLAIN,
    checkpoint_every: int = 25,
) -> keras.Model:
    """Run or go on.

    Args:
        config: Of the run.
        sources: As from `load_sources`.
        folder: For config, log and checkpoints; a run in it with another config is refused.
        progress: Told after every step: how many are done, and the log's numbers.
        start: Puts the weights into the network that the run starts from.
        materials: That packaging is drawn with.
        checkpoint_every: Steps.

    Returns:
        The trained network.

    Raises:
        ModelError: The folder holds another run.
    """
    began = time.monotonic()
    _claim(folder, config)
    batches = Batches(config, sources, materials)
    network = training_network(config.backbone, config.frozen_blocks, config.gem_p, config.attention_rate)
    compile_network(network, config)
    checkpoint = folder / CHECKPOINT_FILE
    if checkpoint.exists():
        done = resume(network, checkpoint)
    else:
        done = 0
        start(network, config, batches)
    schedule = Schedule(config)
    with _Log(folder / LOG_FILE, done) as log:
        for step, batch in enumerate(batches.between(done, config.steps), done):
            network.optimizer.learning_rate = schedule.rate(step)
            numbers = network.train_on_batch(batch.pictures, batch.labels, return_dict=True)
            logged = {"size": config.stage_at(step).size, "rate": schedule.rate(step)} | _plain(numbers)
            ended = time.monotonic()
            log.append(step, logged | {"seconds": ended - began})
            began = ended
            progress(step + 1, logged)
            if (step + 1) % checkpoint_every == 0 or step + 1 == config.steps:
                keep(network, checkpoint, step + 1)
    return network


def seconds_of(log: Path) -> float:
    """What the steps of a `log.csv` took, over all parts of its run; a part's first step counts what came before it."""
    return sum(float(row["seconds"]) for row in _rows(log))


def compile_network(network: keras.Model, config: TrainingConfig) -> None:
    """Give it loss, metric and optimizer; `jit_compile` stays off: pictures have two sizes, each compiled anew."""
    optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay, global_clipnorm=1.0)
    optimizer.build(network.trainable_variables)
    loss = build_loss(config.loss, **config.loss_options)
    network.compile(optimizer, loss=loss, metrics=[in_batch_accuracy], jit_compile=False)


def in_batch_accuracy(labels: Any, embeddings: Any) -> Any:
    """The share of rows whose nearest other row is of the same instance."""
    labels = ops.convert_to_tensor(labels)
    similarity = ops.matmul(embeddings, ops.transpose(embeddings))
    nearest = ops.argmax(similarity - 4 * ops.eye(ops.shape(embeddings)[0]), axis=1)
    instance = labels[:, 0]
    return ops.mean(ops.cast(ops.equal(ops.take(instance, nearest), instance), "float32"))


def _claim(folder: Path, config: TrainingConfig) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIG_FILE
    if path.exists() and json.loads(path.read_text())["digest"] != config.digest():
        raise ModelError("a folder holds one run", f"{folder} has another config", "choose another folder or remove it")
    path.write_text(json.dumps({"digest": config.digest()} | config.to_dict(), indent=2) + "\n")


class _Log:
    """`log.csv`, cut to the steps that the checkpoint knows."""

    def __init__(self, path: Path, steps: int) -> None:
        kept = _rows(path) if path.exists() else []
        self._file = path.open("w", newline="")
        self._writer = csv.DictWriter(self._file, LOG_FIELDS)
        self._writer.writeheader()
        self._writer.writerows(row for row in kept if int(row["step"]) < steps)

    def append(self, step: int, numbers: Mapping[str, float]) -> None:
        self._writer.writerow({"step": step} | {name: f"{number:.6g}" for name, number in numbers.items()})
        self._file.flush()

    def __enter__(self) -> "_Log":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _plain(numbers: Mapping[str, Any]) -> dict[str, float]:
    return {"loss": float(numbers["loss"]), "accuracy": float(numbers["in_batch_accuracy"])}
