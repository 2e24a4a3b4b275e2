"""What tests of every package share: where things are, and what is skipped without them."""

import os
from pathlib import Path

# Before numpy is imported: workers that run side by side would only spin in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest

from skuscan.model import Model
from tools.turned_model import turned_model

ROOT = Path(__file__).resolve().parent.parent
IN_USE = "efficientnet-lite0-products-clean"  # as in skuscan_models, which is missing where the device is tested alone

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
    return Model.open_folder(ROOT / "models" / "artifacts" / IN_USE)


@pytest.fixture(scope="session")
def other_model(released_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of another model: it answers as the released one does, in a feature space of its own."""
    return turned_model(released_model, tmp_path_factory.mktemp("model"))
