"""Trains the released descriptor: fronts in, `descriptors.npz` out, in some minutes."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from skuscan.descriptors import DescriptorWeights
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import KeypointSpec
from skuscan_models.descriptors.network import PatchContrast, inputs_of, patch_network, whole_weights
from skuscan_models.descriptors.patch_pairs import PatchPairs, draw_pairs, join
from skuscan_models.pictures import find_pictures
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front
from skuscan_models.training.fetch_materials import fetched_materials
from skuscan_models.training.sources import OPEN_BOXES, VALIDATION_PHOTOS, part_of

WEIGHTS_FILE, PAIRS_FILE, FACTS_FILE = "descriptors.npz", "pairs.npz", "facts.json"
DRAWN_SEED = 21  # of the drawn packages; the embedding's and the decision's are drawn with others
FIRST_FAMILY = 500_000

Picture = npt.NDArray[np.uint8]
Progress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class DescriptorConfig:
    """One training.

    Attributes:
        drawn: Drawn packages that patches are taken from.
        scans: Package scans with a stated licence, again and again.
        produce: Photos of produce, again and again: real texture.
        steps: Batches.
        batch: Pairs in a batch.
        of_a_photo: Pairs of one photo in it, at most: what must be told apart stands in one photo.
        learning_rate: The greatest, of AdamW.
        warm_up: Steps in which it grows; then it falls like a cosine.
        last_rate: At the end, as a share of the greatest.
        weight_decay: Of AdamW.
        seed: Of every choice.
    """

    drawn: int = 1600
    scans: int = 500
    produce: int = 500
    steps: int = 8000
    batch: int = 512
    of_a_photo: int = 96
    learning_rate: float = 1e-3
    warm_up: int = 100
    last_rate: float = 0.02
    weight_decay: float = 1e-4
    seed: int = 17

    @property
    def fronts(self) -> int:
        """Of all kinds."""
        return self.drawn + self.scans + self.produce


def train_descriptor(
    spec: KeypointSpec,
    pictures: Path,
    materials: Path,
    folder: Path,
    progress: Progress,
    config: DescriptorConfig | None = None,
) -> DescriptorWeights:
    """Draw pairs, train, and write `descriptors.npz` and `facts.json` into the folder.

    Pairs that are there already are used again; a training that was stopped starts over.

    Args:
        spec: Of the keypoints.
        pictures: The folder of training pictures.
        materials: The folder of fonts and clip art.
        folder: Of the run.
        progress: Told after every front and every step how many of both are done, and the loss.
        config: Of the training.

    Raises:
        PictureError: Pictures or materials are not there.
    """
    config = config or DescriptorConfig()
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = _pairs(spec, pictures, materials, folder / PAIRS_FILE, progress, config)
    network = patch_network()
    optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay)
    network.compile(optimizer, loss=PatchContrast(), jit_compile=False)
    losses = []
    for step, rows in enumerate(_batches(pairs, config)):
        optimizer.learning_rate = _rate(config, step)
        losses.append(float(network.train_on_batch(*_batch(pairs, rows))))
        progress(config.fronts + step + 1, {"loss": losses[-1]})
    weights = whole_weights(network, pairs.photo[:: max(1, len(pairs) // 20_000)])
    save(weights, folder / WEIGHTS_FILE)
    facts = {
        "pairs": len(pairs),
        "config": asdict(config),
        "last_loss": float(np.mean(losses[-200:])),
        "seconds": round(time.monotonic() - began),
        "machine": f"{platform.machine()}, Keras {keras.__version__} on {keras.backend.backend()}",
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n")
    return weights


def save(weights: DescriptorWeights, path: Path) -> None:
    """In the form that `skuscan.descriptors.released_weights` reads."""
    np.savez_compressed(
        path,
        hidden=weights.hidden.astype(np.int8),
        hidden_bias=weights.hidden_bias.astype(np.int32),
        shift=np.int32(weights.shift),
        last=weights.last.astype(np.int8),
        last_bias=weights.last_bias.astype(np.int32),
    )


def _pairs(
    spec: KeypointSpec, pictures: Path, materials: Path, file: Path, progress: Progress, config: DescriptorConfig
) -> PatchPairs:
    if file.exists():
        with np.load(file, allow_pickle=False) as saved:
            return PatchPairs(**{name: saved[name] for name in PatchPairs.__dataclass_fields__})
    fronts = _fronts(pictures, materials, config)
    parts = []
    for number, part in enumerate(draw_pairs(fronts, spec, config.seed, os.cpu_count() or 1)):
        parts.append(part)
        progress(number + 1, {})
    pairs = join(parts)
    np.savez(file, **{name: getattr(pairs, name) for name in PatchPairs.__dataclass_fields__})
    return pairs


def _fronts(pictures: Path, materials: Path, config: DescriptorConfig) -> list[Callable[[], Picture]]:
    fetched_materials(materials)  # says what is missing before anything is drawn
    scans = [
        path
        for path in find_pictures(pictures / "boxes")
        if path.name.startswith(OPEN_BOXES) and part_of(path.stem) == "train"
    ]
    kinds = sorted(path for path in (pictures / "produce").iterdir() if path.is_dir())
    produce = [photo for kind in kinds for photo in find_pictures(kind)[:-VALIDATION_PHOTOS]]
    fronts: list[Callable[[], Picture]] = [
        partial(_drawn, TRAIN_FAMILIES[FIRST_FAMILY + number], materials) for number in range(config.drawn)
    ]
    fronts += [partial(load_picture, scans[number % len(scans)]) for number in range(config.scans)]
    return fronts + [partial(load_picture, produce[number % len(produce)]) for number in range(config.produce)]


@cache
def _materials(folder: Path) -> Any:
    return fetched_materials(folder)


def _drawn(family: int, materials: Path) -> Picture:
    return draw_front(design(DRAWN_SEED, family, 0), _materials(materials))


def _batches(pairs: PatchPairs, config: DescriptorConfig) -> Iterator[npt.NDArray[np.intp]]:
    """Rows of each batch's pairs: those of a few photos."""
    rng = np.random.default_rng(config.seed)
    order = np.argsort(pairs.photos, kind="stable")
    groups: Sequence[npt.NDArray[np.intp]] = np.split(order, np.flatnonzero(np.diff(pairs.photos[order])) + 1)
    for _ in range(config.steps):
        chosen: list[npt.NDArray[np.intp]] = []
        for number in rng.permutation(len(groups)):
            chosen.append(rng.permutation(groups[number])[: config.of_a_photo])
            if sum(map(len, chosen)) >= config.batch:
                break
        yield np.concatenate(chosen)[: config.batch]


def _batch(pairs: PatchPairs, rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    patches = np.concatenate([pairs.package[rows], pairs.photo[rows], pairs.other[rows]])
    photos = np.tile(pairs.photos[rows].astype(np.float32), 3)
    places = np.concatenate([pairs.places[rows, part] for part in range(3)])
    return inputs_of(patches), np.column_stack([photos, places])


def _rate(config: DescriptorConfig, step: int) -> float:
    falling = 0.5 * (1 + np.cos(np.pi * step / config.steps))
    part = config.last_rate + (1 - config.last_rate) * falling
    return float(config.learning_rate * min(1.0, (step + 1) / config.warm_up) * part)
