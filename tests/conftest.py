"""What tests of every package share: where things are, and what is skipped without them."""

import dataclasses
import os
import shutil
from pathlib import Path

# Before numpy is imported: workers that run side by side would only spin in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
from google.protobuf import json_format

from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, EMBEDDING_SIZE, HEAD_FILE, Model, file_ref
from skuscan.proto.bundle_pb2 import ModelArtifact

ROOT = Path(__file__).resolve().parent.parent

hypothesis.settings.register_profile("skuscan", deadline=None)  # a busy machine is no bug
hypothesis.settings.load_profile("skuscan")


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures (`train/`, `eval/`); skips by name where they are not."""
    folder = Path(os.environ.get("SKUSCAN_DATA", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real pictures in {folder} (set SKUSCAN_DATA)")
    return folder


@pytest.fixture(scope="session")
def released_model() -> Model:
    """The released artefact, its digests checked."""
    return Model.open_folder(ROOT / "models" / "artifacts" / "efficientnet-lite0-products")


@pytest.fixture(scope="session")
def other_model(released_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of another model: the released one with every vector turned.

    Similarities within it are those of the released model, so it answers the same; between the two they mean nothing.
    """
    folder = tmp_path_factory.mktemp("model") / "turned"
    folder.mkdir()
    shutil.copy(released_model.backbone, folder / BACKBONE_FILE)
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(EMBEDDING_SIZE, EMBEDDING_SIZE)))[0].astype(np.float32)
    head = released_model.head
    data = dataclasses.replace(head, projection=head.projection @ turn, bias=head.bias @ turn).dump()
    artifact = ModelArtifact()
    artifact.CopyFrom(released_model.artifact)
    artifact.name = "turned"
    artifact.head.CopyFrom(file_ref(data))
    (folder / HEAD_FILE).write_bytes(data)
    (folder / ARTIFACT_FILE).write_text(json_format.MessageToJson(artifact))
    return folder
