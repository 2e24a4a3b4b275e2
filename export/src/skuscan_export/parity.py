"""How far the int8 network's embeddings are from the float network's, on pictures that neither has seen.

Both sides go through `skuscan`'s own letterbox and head; only the network between them differs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skuscan.embedding import Embedder, apply_head
from skuscan.model import Model
from skuscan.picture import load_picture
from skuscan.runtime import RuntimeOptions
from skuscan_models.pictures import load_letterboxed, to_network

if TYPE_CHECKING:  # importing it needs keras
    from skuscan_models.backbones import Backbone

REQUIRED_MEAN = 0.99  # cosine
REQUIRED_MIN = 0.98  # cosine


@dataclass(frozen=True)
class Parity:
    """Cosines between float and int8 embeddings of the same pictures.

    Attributes:
        pictures: How many.
        mean: Of the cosines.
        minimum: Of the cosines.
        worst: Name of the picture with the lowest.
        same_neighbour: Share of pictures whose nearest other picture is the same in both.
        runtime: What ran the int8 network.
        backbone: SHA-256 of the network that was measured, hex.
        head: SHA-256 of its head, hex.
    """

    pictures: int
    mean: float
    minimum: float
    worst: str
    same_neighbour: float
    runtime: str
    backbone: str
    head: str

    @property
    def passes(self) -> bool:
        """Whether the figures reach what a release needs."""
        return self.mean >= REQUIRED_MEAN and self.minimum >= REQUIRED_MIN

    def write(self, path: Path) -> None:
        """Write it as JSON, with what is required beside it."""
        required = {"mean": REQUIRED_MEAN, "minimum": REQUIRED_MIN}
        path.write_text(json.dumps({**asdict(self), "required": required, "passes": self.passes}, indent=2) + "\n")


def measure_parity(backbone: "Backbone", model: Model, paths: Sequence[Path]) -> Parity:
    """Embed each picture with both networks and compare.

    Args:
        backbone: The float network that `model` was exported from.
        model: The artefact.
        paths: Picture files, at least two.

    Raises:
        PictureError: A picture cannot be used.
        ModelError: The artefact cannot be used.
    """
    embedder = Embedder.open(model, RuntimeOptions())
    quantized = np.stack([embedder.embed(load_picture(path)) for path in paths])
    exact = np.stack([embed_float(backbone, model, path) for path in paths])
    cosines = (quantized * exact).sum(axis=1)
    worst = int(cosines.argmin())
    description = embedder.description
    return Parity(
        pictures=len(paths),
        mean=round(float(cosines.mean()), 5),
        minimum=round(float(cosines[worst]), 5),
        worst=paths[worst].name,
        same_neighbour=round(float((_neighbours(quantized) == _neighbours(exact)).mean()), 3),
        runtime=f"{description.library} {description.version}, {description.delegate}",
        backbone=model.artifact.backbone.sha256.hex(),
        head=model.artifact.head.sha256.hex(),
    )


def embed_float(backbone: "Backbone", model: Model, path: Path) -> npt.NDArray[np.float32]:
    """A picture's embedding by the float network: (256,) float32 of unit length."""
    spec = model.artifact.preprocess
    feature_map = backbone.predict_on_batch(to_network(load_letterboxed([path], spec), spec))[0]
    return apply_head(model.head, np.asarray(feature_map, np.float32))


def _neighbours(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """For each unit row the index of the nearest other one."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    return np.asarray(similarity.argmax(axis=1))
