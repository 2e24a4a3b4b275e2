"""A preset's artefact, from nothing to the released folder.

1. Build the float network with its weights.
2. Draw or load the calibration pictures, round the weights on them, convert to int8.
3. Run the int8 network, as devices do, over packages and drawn field views, and fit the head on what comes out.
4. Write the folder, and its model card with the report on ops.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skuscan.model import BACKBONE_FILE, Head
from skuscan.picture import letterbox
from skuscan.proto.bundle_pb2 import ModelArtifact
from skuscan.runtime import Runtime
from skuscan_export.artifact import write_artifact
from skuscan_export.calibration import Calibration
from skuscan_export.convert import to_int8
from skuscan_export.rounding import round_weights
from skuscan_models.head_pictures import HeadPictures
from skuscan_models.heads import fit_head, gem
from skuscan_models.pictures import to_network
from skuscan_models.presets import Preset, preset

Progress = Callable[[str], None]


def export_artifact(
    name: str, folder: Path, calibration: Calibration, head_pictures: HeadPictures, progress: Progress
) -> ModelArtifact:
    """Make a preset's artefact.

    Args:
        name: Of the preset, and of the artefact.
        folder: Where to write; its keypoint spec and decision are kept.
        calibration: Which pictures calibrate.
        head_pictures: Which pictures the head is fitted on.
        progress: Told what is being done, a line at a time.

    Raises:
        ModelError: The preset is unknown, its weights are not installed, or what came out breaks a rule.
        PictureError: A calibration picture cannot be used.
    """
    chosen = preset(name)
    progress(f"building {chosen.backbone}")
    network = chosen.build()
    progress(f"calibrating on {calibration.description}")
    pixels = calibration.load(chosen.preprocess)
    round_weights(network, to_network(pixels, chosen.preprocess), calibration.seed)
    progress("converting to int8")
    backbone = to_int8(network, pixels, chosen.preprocess)
    progress(f"fitting the head on {head_pictures.description}")
    head = _fit_head(chosen, backbone, head_pictures)
    return write_artifact(folder, name, backbone, head, chosen.preprocess)


def _fit_head(chosen: Preset, backbone: bytes, head_pictures: HeadPictures) -> Head:
    spec = chosen.preprocess
    labels, pooled = [], []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / BACKBONE_FILE
        path.write_bytes(backbone)
        runtime = Runtime.open(path)
        for sku, rgb in head_pictures.load():
            pixels = letterbox(rgb, spec.size, spec.letterbox_grey)
            labels.append(sku)
            pooled.append(gem(runtime.run(pixels[np.newaxis]), chosen.gem_p))
    return fit_head(np.stack(pooled), labels, chosen.gem_p, chosen.shrinkage)
