"""A model of a few hundred bytes: its network is none, which a store and a publisher do not mind."""

from pathlib import Path

import numpy as np
from google.protobuf import json_format

from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, EMBEDDING_SIZE, HEAD_FILE, Head, file_ref
from skuscan.proto.bundle_pb2 import ModelArtifact, PreprocessSpec

CHANNELS = 2
INPUT = 224  # px


def write_model(folder: Path, name: str) -> Path:
    """Write an artefact's folder; another name is another feature space."""
    backbone = f"no network, called {name}".encode()
    zeros, ones = np.zeros(EMBEDDING_SIZE, np.float32), np.ones((CHANNELS, EMBEDDING_SIZE), np.float32)
    head = Head(3.0, ones, zeros, np.zeros(CHANNELS, np.float32)).dump()
    artifact = ModelArtifact(
        format=1,
        name=name,
        backbone=file_ref(backbone),
        head=file_ref(head),
        preprocess=PreprocessSpec(size=INPUT),
    )
    folder.mkdir()
    (folder / BACKBONE_FILE).write_bytes(backbone)
    (folder / HEAD_FILE).write_bytes(head)
    (folder / ARTIFACT_FILE).write_text(json_format.MessageToJson(artifact))
    return folder
