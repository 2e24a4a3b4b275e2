"""What is stored of a reference picture: embedding, keypoints, appearance, and numbers that say how good it is.

The server's workers call this, with the code that the device runs on a scan: there is one preprocessing, one embedder
and one keypoint extractor.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skuscan.appearance import describe
from skuscan.appearance import pack as pack_appearance
from skuscan.embedding import Embedder, quantize
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import pack
from skuscan.model import Model
from skuscan.picture import load_picture
from skuscan.quality import ReferenceQuality, measure
from skuscan.runtime import RuntimeOptions


@dataclass(frozen=True)
class ReferenceFeatures:
    """What `Reference` records hold, and the picture's quality."""

    embedding: bytes  # 2 x 256 int8, as `skuscan.embedding.quantize` makes them
    keypoints: bytes  # as `skuscan.keypoints.pack` makes them
    appearance: bytes  # as `skuscan.appearance.pack` makes it
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
        reference = self._keypoints.examine(rgb)
        keypoints = reference.keypoints
        quality = measure(rgb.shape[1], rgb.shape[0], reference)
        appearance = describe(reference)
        embedding = quantize(self._embedder.embed_reference(rgb)).tobytes()
        return ReferenceFeatures(embedding, pack(keypoints), pack_appearance(appearance), quality)
