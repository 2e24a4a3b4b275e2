"""Trains the network that compares prints: fronts in, `likeness.npz` out."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from skuscan.likeness import Layer, Likeness, network_input
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import KeypointSpec
from skuscan_models.checkpoint import keep, resume
from skuscan_models.likeness.disturbance import Disturbance
from skuscan_models.likeness.network import device_weights, likeness_network
from skuscan_models.likeness.print_pairs import Fronts, PrintPairs, draw_pairs, joined
from skuscan_models.likeness.siblings import made_sibling
from skuscan_models.pictures import find_pictures
from skuscan_models.synthetic.packaging import FLAVOURS_OF_A_FAMILY, TRAIN_FAMILIES, design, draw_front
from skuscan_models.training.fetch_materials import fetched_materials
from skuscan_models.training.sources import OPEN_BOXES, VALIDATION_PHOTOS, part_of

WEIGHTS_FILE, PAIRS_FILE, FACTS_FILE, CHECKPOINT_FILE = "likeness.npz", "pairs.npz", "facts.json", "checkpoint.npz"
DRAWN_SEED = 22  # of the drawn packages; the embedding's, the descriptor's and the decision's are drawn with others
FIRST_FAMILY = 600_000
PREDICTED_AT_ONCE = 64  # pairs

Picture = npt.NDArray[np.uint8]
Progress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class LikenessConfig:
    """One training.

    Attributes:
        drawn: Families of drawn packages.
        siblings: Of each that are drawn.
        scans: Package scans with a stated licence, each with a made sibling, again and again.
        produce: Photos of produce, likewise: real texture.
        steps: Batches.
        batch: Pairs in a batch.
        learning_rate: The greatest, of AdamW.
        warm_up: Steps in which it grows; then it falls like a cosine.
        last_rate: At the end, as a share of the greatest.
        weight_decay: Of AdamW.
        kept_aside: One family of so many is kept aside, and asked at the end.
        seed: Of every choice.
        disturbance: Of the crops.
    """

    drawn: int = 3200
    siblings: int = 3
    scans: int = 800
    produce: int = 800
    steps: int = 6000
    batch: int = 64
    learning_rate: float = 2e-3
    warm_up: int = 200
    last_rate: float = 0.01
    weight_decay: float = 1e-4
    kept_aside: int = 20
    seed: int = 23
    disturbance: Disturbance = field(default_factory=Disturbance)

    @property
    def families(self) -> int:
        """Of all kinds."""
        return self.drawn + self.scans + self.produce


def train_likeness(
    spec: KeypointSpec,
    pictures: Path,
    materials: Path,
    folder: Path,
    progress: Progress,
    config: LikenessConfig | None = None,
    checkpoint_every: int = 100,
) -> Likeness:
    """Draw pairs, train, and write `likeness.npz` and `facts.json` into the folder.

    Pairs that are there already are used again; a training that was stopped goes on from its last checkpoint.

    Args:
        spec: Of the keypoints.
        pictures: The folder of training pictures.
        materials: The folder of fonts and clip art.
        folder: Of the run.
        progress: Told after every family and every step how many of both are done, and the loss.
        config: Of the training.
        checkpoint_every: Steps.

    Raises:
        PictureError: Pictures or materials are not there.
    """
    config = config or LikenessConfig()
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = _pairs(spec, pictures, materials, folder / PAIRS_FILE, progress, config)
    aside = pairs.families % config.kept_aside == 0
    network = compiled_network(config)
    done = resume(network, folder / CHECKPOINT_FILE) if (folder / CHECKPOINT_FILE).exists() else 0
    rows, losses = np.flatnonzero(~aside), []
    for step in range(done, config.steps):
        network.optimizer.learning_rate = _rate(config, step)
        losses.append(float(network.train_on_batch(*batch_of(pairs, rows, step, config))))
        progress(config.families + step + 1, {"loss": losses[-1]})
        if (step + 1) % checkpoint_every == 0 or step + 1 == config.steps:
            keep(network, folder / CHECKPOINT_FILE, step + 1)
    likeness = device_weights(network)
    save(likeness, folder / WEIGHTS_FILE)
    facts = {
        "pairs": len(pairs),
        "config": asdict(config),
        "last_loss": float(np.mean(losses[-200:])),
        "kept_aside": told_apart(network, pairs.take(np.flatnonzero(aside))),
        "seconds": round(time.monotonic() - began),
        "machine": f"{platform.machine()}, Keras {keras.__version__} on {keras.backend.backend()}",
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n")
    return likeness


def compiled_network(config: LikenessConfig) -> keras.Model:
    """A new network with loss and optimizer."""
    keras.utils.set_random_seed(config.seed)
    network = likeness_network()
    optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay, global_clipnorm=1.0)
    optimizer.build(network.trainable_variables)
    network.compile(optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    return network


def batch_of(
    pairs: PrintPairs, rows: npt.NDArray[np.integer], step: int, config: LikenessConfig
) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """The disturbed crops of one step, references and scans, and whether they are of one print: (n, 1)."""
    rng, disturbance = np.random.default_rng((config.seed, step)), config.disturbance
    chosen = pairs.take(rng.choice(rows, config.batch, replace=False))
    references = np.stack([disturbance.of_reference(crop, rng) for crop in chosen.references])
    others = np.roll(chosen.scans, 1, axis=0)
    scans = np.stack([disturbance.of_scan(*both, rng) for both in zip(chosen.scans, others, strict=True)])
    return [network_input(references), network_input(scans)], chosen.same[:, np.newaxis].astype(np.float32)


def told_apart(network: keras.Model, pairs: PrintPairs) -> dict[str, float]:
    """AUROC, and the share of the same prints that are surer than 98% of the others."""
    parts = [slice(i, i + PREDICTED_AT_ONCE) for i in range(0, len(pairs), PREDICTED_AT_ONCE)]
    logits = np.concatenate(
        [
            np.asarray(
                network.predict_on_batch([network_input(pairs.references[part]), network_input(pairs.scans[part])])
            )
            for part in parts
        ]
    )[:, 0]
    same, others = logits[pairs.same], np.sort(logits[~pairs.same])
    below = np.searchsorted(others, same) / max(1, len(others))
    return {"pairs": len(pairs), "auroc": float(below.mean()), "surer_than_98_percent": float((below >= 0.98).mean())}


def save(likeness: Likeness, path: Path) -> None:
    """In the form that `skuscan.likeness.load` reads."""
    parts = {"encoder": likeness.encoder, "judge": likeness.judge}
    arrays: dict[str, Any] = {"mix": likeness.mix}
    for name, layers in parts.items():
        arrays[f"{name}-strides"] = np.array([layer.stride for layer in layers], np.uint8)
        for number, layer in enumerate(layers):
            arrays |= _named(f"{name}-{number}", layer)
    np.savez_compressed(path, **arrays)


def _named(name: str, layer: Layer) -> dict[str, Any]:
    return {f"{name}-kernel": layer.kernel.astype(np.float16), f"{name}-bias": layer.bias.astype(np.float32)}


def _pairs(
    spec: KeypointSpec, pictures: Path, materials: Path, file: Path, progress: Progress, config: LikenessConfig
) -> PrintPairs:
    if file.exists():
        with np.load(file, allow_pickle=False) as saved:
            return PrintPairs(**{name: saved[name] for name in PrintPairs.__dataclass_fields__})
    families = _families(pictures, materials, config)
    parts = []
    for number, part in enumerate(draw_pairs(families, spec, config.seed, os.cpu_count() or 1)):
        parts.append(part)
        progress(number + 1, {})
    pairs = joined(parts)
    temporary = file.with_suffix(".new.npz")
    np.savez(temporary, **{name: getattr(pairs, name) for name in PrintPairs.__dataclass_fields__})
    temporary.replace(file)
    return pairs


def _families(pictures: Path, materials: Path, config: LikenessConfig) -> list[Fronts]:
    fetched_materials(materials)  # says what is missing before anything is drawn
    scans = [
        path
        for path in find_pictures(pictures / "boxes")
        if path.name.startswith(OPEN_BOXES) and part_of(path.stem) == "train"
    ]
    kinds = sorted(path for path in (pictures / "produce").iterdir() if path.is_dir())
    produce = [photo for kind in kinds for photo in find_pictures(kind)[:-VALIDATION_PHOTOS]]
    drawn: list[Fronts] = [
        partial(_drawn, TRAIN_FAMILIES[FIRST_FAMILY + number], config.siblings, materials)
        for number in range(config.drawn)
    ]
    return drawn + _made_of(scans, config.scans, config.seed) + _made_of(produce, config.produce, config.seed)


def _made_of(fronts: Sequence[Path], count: int, seed: int) -> list[Fronts]:
    """Each front in turn, with a sibling that has a part of another one."""
    others = np.random.default_rng(seed).integers(len(fronts), size=count)
    return [partial(_made, fronts[n % len(fronts)], fronts[int(other)], n) for n, other in enumerate(others)]


@cache
def _materials(folder: Path) -> Any:
    return fetched_materials(folder)


def _drawn(family: int, siblings: int, materials: Path) -> Sequence[Picture]:
    chosen = np.random.default_rng(family).permutation(FLAVOURS_OF_A_FAMILY)[:siblings]
    return [draw_front(design(DRAWN_SEED, family, int(variant)), _materials(materials)) for variant in chosen]


def _made(scan: Path, other: Path, number: int) -> Sequence[Picture]:
    front = load_picture(scan)
    return [front, made_sibling(front, load_picture(other), np.random.default_rng(number))]


def _rate(config: LikenessConfig, step: int) -> float:
    falling = 0.5 * (1 + np.cos(np.pi * step / config.steps))
    part = config.last_rate + (1 - config.last_rate) * falling
    return float(config.learning_rate * min(1.0, (step + 1) / config.warm_up) * part)
