"""Another model, made from one: every vector is turned, and so its feature space is its own.

Similarities within it are those of the first, so it answers the same; between the two they mean nothing.
"""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
from google.protobuf import json_format

from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, EMBEDDING_SIZE, HEAD_FILE, Model, file_ref
from skuscan.proto.bundle_pb2 import ModelArtifact

NAME = "turned"
SEED = 5


def turned_model(model: Model, folder: Path) -> Path:
    """Write the turned model into a new folder, and return that."""
    made = folder / NAME
    made.mkdir()
    shutil.copy(model.backbone, made / BACKBONE_FILE)
    square = np.random.default_rng(SEED).normal(size=(EMBEDDING_SIZE, EMBEDDING_SIZE))
    turn = np.linalg.qr(square)[0].astype(np.float32)
    head = model.head
    data = dataclasses.replace(head, projection=head.projection @ turn, bias=head.bias @ turn).dump()
    artifact = ModelArtifact()
    artifact.CopyFrom(model.artifact)
    artifact.name = NAME
    artifact.head.CopyFrom(file_ref(data))
    (made / HEAD_FILE).write_bytes(data)
    (made / ARTIFACT_FILE).write_text(json_format.MessageToJson(artifact))
    return made
