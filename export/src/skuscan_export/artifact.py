"""Writes an artefact's folder as `skuscan.model.Model.open_folder` reads it.

    artifact.json    ModelArtifact as protobuf's JSON
    backbone.tflite  the int8 network
    head.npz         GeM exponent, projection, bias
    SHA256SUMS       of the three, for `sha256sum --check`
    MODEL_CARD.md    written by `skuscan_export.card`

The keypoint spec and the decision's coefficients are tuned and fitted elsewhere. Exporting again keeps those that the
folder has; a new folder gets the starting values below.
"""

import hashlib
from pathlib import Path

from google.protobuf import json_format

from skuscan.errors import ModelError
from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, HEAD_FILE, Head, file_ref
from skuscan.proto.bundle_pb2 import DecisionCoefficients, KeypointSpec, ModelArtifact, PreprocessSpec

SUMS_FILE = "SHA256SUMS"
ARTIFACT_FORMAT = 1


def starting_keypoints() -> KeypointSpec:
    """ORB with OpenCV's own parameters, at the sizes that the byte budget allows."""
    return KeypointSpec(
        detector="orb",
        extractor_version="orb-1",
        longest_side=640,
        query_keypoints=1000,
        reference_keypoints=150,
        candidate_keypoints=1000,
        scale_factor=1.2,
        levels=8,
        fast_threshold=20,
    )


def starting_decision() -> DecisionCoefficients:
    """A cautious guess until coefficients are fitted: it takes a dozen inliers to make a match."""
    return DecisionCoefficients(
        intercept=-9.0,
        weights={"similarity": 4.0, "margin": 6.0, "log_inliers": 2.0},
        match_probability=0.9,
        ambiguous_margin=0.2,
        skip_verification_logit=0.0,
    )


def write_artifact(folder: Path, name: str, backbone: bytes, head: Head, preprocess: PreprocessSpec) -> ModelArtifact:
    """Write the folder's files, keeping its keypoint spec and decision when it has them.

    Raises:
        ModelError: The folder holds an `artifact.json` that is not one.
    """
    head_data = head.dump()
    before = _read(folder / ARTIFACT_FILE)
    artifact = ModelArtifact(
        format=ARTIFACT_FORMAT,
        name=name,
        backbone=file_ref(backbone),
        head=file_ref(head_data),
        preprocess=preprocess,
        keypoints=before.keypoints if before.HasField("keypoints") else starting_keypoints(),
        decision=before.decision if before.HasField("decision") else starting_decision(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BACKBONE_FILE).write_bytes(backbone)
    (folder / HEAD_FILE).write_bytes(head_data)
    (folder / ARTIFACT_FILE).write_text(artifact_json(artifact))
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
    if not path.exists():
        return ModelArtifact()
    try:
        return json_format.Parse(path.read_text(), ModelArtifact())
    except (UnicodeDecodeError, json_format.ParseError) as error:
        raise ModelError("artifact.json holds a ModelArtifact", f"{path}: {error}", "remove it") from error
