"""The pictures that show the converter which values occur in the network.

By default drawn packaging and drawn field views, which anybody can draw again; or a folder of pictures.
`docs/decisions/0022-calibration-and-rounding.md` compares the two.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.picture import letterbox
from skuscan.proto.bundle_pb2 import PreprocessSpec
from skuscan_models.head_pictures import HeadPictures
from skuscan_models.pictures import choose_pictures, load_letterboxed

PICTURES = 100
SEED = 5


@dataclass(frozen=True)
class Calibration:
    """Which pictures calibrate.

    Attributes:
        folder: Where they are chosen from, or None to draw them.
        count: How many.
        seed: Of the choice.
    """

    folder: Path | None = None
    count: int = PICTURES
    seed: int = SEED

    def load(self, preprocess: PreprocessSpec) -> npt.NDArray[np.uint8]:
        """(n, S, S, 3) uint8, letterboxed. Raises PictureError when the folder holds none."""
        if self.folder is not None:
            return load_letterboxed(choose_pictures(self.folder, self.count, self.seed), preprocess)
        pictures = HeadPictures(families=self.count, variants=1, seed=self.seed).load()
        drawn = [rgb for _, rgb in islice(pictures, self.count)]
        return np.stack([letterbox(rgb, preprocess.size, preprocess.letterbox_grey) for rgb in drawn])

    @property
    def description(self) -> str:
        """For the model card."""
        source = "drawn packaging and drawn field views" if self.folder is None else "a folder of pictures"
        return f"{self.count} pictures of {source}, seed {self.seed}, a black and a white one"
