"""Writes an artefact's folder as `skuscan.model.Model.open_folder` reads it.

    artifact.json    ModelArtifact as protobuf's JSON
    backbone.tflite  the int8 network
    head.npz         GeM exponent, projection, bias
    SHA256SUMS       of the three, for `sha256sum --check`
    MODEL_CARD.md    written by `skuscan_export.card`

The keypoint spec and the decision's coefficients are tuned and fitted elsewhere. Exporting again keeps those that the
folder has; a new folder gets the released model's.
"""

import hashlib
from pathlib import Path

from google.protobuf import json_format

from skuscan.errors import ModelError
from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, HEAD_FILE, Head, file_ref
from skuscan.proto.bundle_pb2 import ModelArtifact, PreprocessSpec
from skuscan_models.artifacts import released_folder

SUMS_FILE = "SHA256SUMS"
ARTIFACT_FORMAT = 1


def write_artifact(folder: Path, name: str, backbone: bytes, head: Head, preprocess: PreprocessSpec) -> ModelArtifact:
    """Write the folder's files, keeping its keypoint spec and decision when it is there already.

    Raises:
        ModelError: The folder holds an `artifact.json` that is not one.
    """
    head_data = head.dump()
    path = folder / ARTIFACT_FILE
    before = _read(path if path.exists() else released_folder() / ARTIFACT_FILE)
    artifact = ModelArtifact(
        format=ARTIFACT_FORMAT,
        name=name,
        backbone=file_ref(backbone),
        head=file_ref(head_data),
        preprocess=preprocess,
        keypoints=before.keypoints,
        decision=before.decision,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BACKBONE_FILE).write_bytes(backbone)
    (folder / HEAD_FILE).write_bytes(head_data)
    path.write_text(artifact_json(artifact))
    write_sums(folder)
    return artifact


def artifact_json(artifact: ModelArtifact) -> str:
    """Protobuf's JSON, with stable order, so that a change shows as a small difference."""
    return json_format.MessageToJson(artifact, indent=2, sort_keys=True) + "\n"


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` of the artefact's files as they are now."""
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in (ARTIFACT_FILE, BACKBONE_FILE, HEAD_FILE)
    ]
    (folder / SUMS_FILE).write_text("".join(lines))


def _read(path: Path) -> ModelArtifact:
    try:
        return json_format.Parse(path.read_text(), ModelArtifact())
    except (OSError, UnicodeDecodeError, json_format.ParseError) as error:
        raise ModelError("artifact.json holds a ModelArtifact", f"{path}: {error}", "remove it") from error
