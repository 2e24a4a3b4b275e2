"""The pictures that show the converter which values occur in the network: the two views that training draws.

Of drawn packaging, which anybody can draw again, and of the training pictures where there are any: what is calibrated
on has never been evaluated on. `docs/decisions/0022-calibration-and-rounding.md` compares.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.proto.bundle_pb2 import PreprocessSpec
from skuscan_models.training.batches import DRAWN, Batches
from skuscan_models.training.config import RUNS, Stage
from skuscan_models.training.sources import load_sources

PICTURES = 96
SEED = 5


@dataclass(frozen=True)
class Calibration:
    """Which pictures calibrate.

    Attributes:
        folder: The training pictures, or None for drawn packaging alone.
        count: How many, at least.
        seed: Of the choice.
    """

    folder: Path | None = None
    count: int = PICTURES
    seed: int = SEED

    def load(self, preprocess: PreprocessSpec) -> npt.NDArray[np.uint8]:
        """(n, S, S, 3) uint8, letterboxed. Raises PictureError when the folder holds none."""
        pairs = RUNS["all"].pairs if self.folder is not None else {DRAWN: sum(RUNS["all"].pairs.values())}
        in_a_batch = 2 * sum(pairs.values())
        steps = -(-self.count // in_a_batch)
        config = replace(RUNS["all"], pairs=pairs, seed=self.seed, stages=(Stage(preprocess.size, steps),))
        batches = Batches(config, load_sources(list(pairs), self.folder, "train"))
        return np.concatenate([batches.batch(step).pixels for step in range(steps)])

    @property
    def description(self) -> str:
        """For the model card."""
        source = "drawn packaging" if self.folder is None else "drawn packaging and the training pictures"
        return f"{self.count} views of {source} or more, seed {self.seed}, a black and a white picture"
