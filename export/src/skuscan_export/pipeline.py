"""The released folder of a trained model.

1. Load the float network and its head.
2. On calibration pictures, equalise the residual streams and round the weights; convert to int8.
3. Write the folder with the float weights beside it, which parity and fine-tuning start from, and its model card.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from skuscan.proto.bundle_pb2 import ModelArtifact
from skuscan_export.artifact import write_artifact
from skuscan_export.calibration import Calibration
from skuscan_export.convert import to_int8
from skuscan_export.equalisation import equalise_streams
from skuscan_export.rounding import round_weights
from skuscan_models.float_model import MODEL_FILE, WEIGHTS_FILE, FloatModel, preprocess_spec
from skuscan_models.pictures import to_network

Progress = Callable[[str], None]


def export_artifact(run: Path, folder: Path, calibration: Calibration, progress: Progress) -> ModelArtifact:
    """Make the artefact of a trained model.

    Args:
        run: The folder of a `FloatModel`.
        folder: Where to write; its keypoint spec and decision are kept.
        calibration: Which pictures calibrate.
        progress: Told what is being done, a line at a time.

    Raises:
        ModelError: `run` holds no model, or what came out breaks a rule.
        PictureError: A calibration picture cannot be used.
    """
    model = FloatModel.load(run)
    spec = preprocess_spec()
    progress(f"calibrating on {calibration.description}")
    pixels = calibration.load(spec)
    inputs = to_network(pixels, spec)
    progress("equalising the residual streams")
    equalise_streams(model.network, inputs)
    progress("rounding the weights")
    round_weights(model.network, inputs, calibration.seed)
    progress("converting to int8")
    artifact = write_artifact(folder, model.name, to_int8(model.network, pixels, spec), model.head, spec)
    for name in (MODEL_FILE, WEIGHTS_FILE):
        if run != folder:
            shutil.copyfile(run / name, folder / name)
    return artifact
