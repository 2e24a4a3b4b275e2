"""What is stored of a reference picture: its embedding, its keypoints, and numbers that tell how good the picture is.

The server's workers call this, with the code that the device runs on a scan: there is one preprocessing, one embedder
and one keypoint extractor.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.embedding import Embedder, quantize
from skuscan.keypoints import KeypointExtractor, pack
from skuscan.model import Model
from skuscan.picture import fit_longest_side, load_picture
from skuscan.runtime import RuntimeOptions

SHARPNESS_SIDE = 320  # px; one scale for all, or a larger picture would count as less sharp


@dataclass(frozen=True)
class ReferenceQuality:
    """Named numbers about a reference picture, for the people who take the pictures."""

    width: int  # px, upright, as decoded: a large JPEG is decoded at a fraction of its size
    height: int  # px
    keypoints: int  # kept
    sharpness: float  # variance of the Laplacian of the grey picture at 320 px; under about 100 it looks blurred


@dataclass(frozen=True)
class ReferenceFeatures:
    """What `Reference` records hold, and the picture's quality."""

    embedding: bytes  # 256 int8, as `skuscan.embedding.quantize` makes them
    keypoints: bytes  # as `skuscan.keypoints.pack` makes them
    quality: ReferenceQuality


class FeatureExtractor:
    """Computes what is stored of reference pictures, in one feature space. Safe in any thread."""

    def __init__(self, embedder: Embedder, keypoints: KeypointExtractor) -> None:
        self._embedder = embedder
        self._keypoints = keypoints

    @classmethod
    def open(cls, model: Model, options: RuntimeOptions) -> "FeatureExtractor":
        """Open a model's network, head and keypoint spec. Raises ModelError when they cannot be used."""
        return cls(Embedder.open(model, options), KeypointExtractor(model.artifact.keypoints))

    def extract(self, picture: bytes | npt.NDArray[np.uint8]) -> ReferenceFeatures:
        """Everything that is stored of a picture.

        Args:
            picture: A file's bytes, or (H, W, 3) uint8 RGB of `load_picture`.

        Raises:
            PictureError: The picture cannot be used.
        """
        rgb = load_picture(picture)
        keypoints = self._keypoints.reference(rgb)
        quality = ReferenceQuality(rgb.shape[1], rgb.shape[0], len(keypoints), _sharpness(rgb))
        return ReferenceFeatures(quantize(self._embedder.embed(rgb)).tobytes(), pack(keypoints), quality)


def _sharpness(rgb: npt.NDArray[np.uint8]) -> float:
    """Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy": the variance of the Laplacian."""
    full = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    grey = fit_longest_side(full, SHARPNESS_SIDE)  # one channel to scale, not three
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
