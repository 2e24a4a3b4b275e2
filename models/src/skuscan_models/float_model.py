"""A trained model before quantisation: what training writes, what the export reads, what fine-tuning starts from.

model.json     name, backbone, what trained it
backbone.npz   the weights as float16: half the bytes
head.npz       as on a device
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from skuscan.errors import ModelError
from skuscan.model import HEAD_FILE, Head
from skuscan.proto.bundle_pb2 import PreprocessSpec

if TYPE_CHECKING:  # importing it needs keras
    from skuscan_models.backbones import Backbone

MODEL_FILE, WEIGHTS_FILE = "model.json", "backbone.npz"


def preprocess_spec() -> PreprocessSpec:
    """224 px on white, `(pixel - 127) / 128`: what EfficientNet-Lite was trained with on ImageNet."""
    return PreprocessSpec(
        size=224, letterbox_grey=255, scale=128.0, offset=127.0, channel_order="RGB", resampling="area"
    )


@dataclass(frozen=True)
class FloatModel:
    """A model in float.

    Attributes:
        name: Of its artefact.
        backbone: Name in `skuscan_models.backbones`.
        network: (n, S, S, 3) float32 -> (n, h, w, c) float32.
        head: What comes after it.
        training: What trained it, for the model card; JSON.
    """

    name: str
    backbone: str
    network: "Backbone"
    head: Head
    training: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write the three files."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            f"{layer.name}/{number}": array.astype(np.float16)
            for layer in self.network.layers
            for number, array in enumerate(layer.get_weights())
        }
        np.savez(folder / WEIGHTS_FILE, **weights)
        (folder / HEAD_FILE).write_bytes(self.head.dump())
        about = {"name": self.name, "backbone": self.backbone, "training": self.training}
        (folder / MODEL_FILE).write_text(json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "FloatModel":
        """Read a folder that `save` wrote. Raises ModelError when it is none, or its parts do not fit."""
        try:
            about = json.loads((folder / MODEL_FILE).read_text())
            name, backbone, training = about["name"], about["backbone"], about["training"]
            head = Head.load((folder / HEAD_FILE).read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            rule = f"a float model is a folder with {MODEL_FILE}, {WEIGHTS_FILE} and {HEAD_FILE}"
            raise ModelError(rule, f"{folder}: {error}", "train one, or take a released model's folder") from error
        from skuscan_models.backbones import build_backbone

        network = build_backbone(backbone, preprocess_spec().size)
        load_weights(network, folder / WEIGHTS_FILE)
        return cls(name, backbone, network, head, training)


def load_weights(network: "Backbone", path: Path) -> None:
    """Fill a backbone, in place, with the weights of a `backbone.npz`.

    Raises:
        ModelError: The file is missing or broken, or belongs to another backbone.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            for layer in network.layers:
                if layer.weights:
                    layer.set_weights(
                        [saved[f"{layer.name}/{n}"].astype(np.float32) for n in range(len(layer.weights))]
                    )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ModelError("the weights fit the backbone", f"{path}: {error}") from error
