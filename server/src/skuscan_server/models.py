"""The models that a server was given; one of them is in use.

    models/CURRENT        the name of the folder in use; without it, the model that came with the installation is
    models/<name>/        artifact.json, backbone.tflite, head.npz

A folder is named by the digest of its artefact and never changes, so a process that opened it can go on with it while
another one is taken into use. CURRENT is replaced in one rename.
"""

import hashlib
import secrets
from pathlib import Path

from skuscan.errors import ModelError
from skuscan.features import FeatureExtractor
from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, HEAD_FILE, Model
from skuscan.runtime import RuntimeOptions
from skuscan.store.durable import DISK

CURRENT_FILE = "CURRENT"
NAME_DIGITS = 16  # hex digits of the SHA-256 over the artefact as it is published


def published_bytes(model: Model) -> bytes:
    """The artefact as it is signed: the target `model`."""
    return model.artifact.SerializeToString(deterministic=True)


def published_digest(model: Model) -> bytes:
    """What a manifest calls its model by: 32 bytes."""
    return hashlib.sha256(published_bytes(model)).digest()


class ModelShelf:
    """Keeps models in a folder.

    Args:
        folder: Made when the first model comes.
        installed: The artefact that is in use until another one is.
    """

    def __init__(self, folder: Path, installed: Path) -> None:
        self._folder = folder
        self._installed = installed

    def in_use(self) -> Path:
        """The folder of the artefact in use; read anew each time, since another process may have changed it."""
        current = self._folder / CURRENT_FILE
        try:
            name = current.read_text().strip()
        except FileNotFoundError:
            return self._installed
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                "the model in use is known", f"{self._folder / CURRENT_FILE}: {error}", "set it"
            ) from error
        return self._folder / name

    def add(self, source: Path) -> Path:
        """Check an artefact's folder, open it once as a worker would, and keep a copy.

        Returns:
            The copy. It is not in use yet.

        Raises:
            ModelError: It is no artefact, is damaged, or does not run here.
            StoreError: The disk failed.
        """
        model = Model.open_folder(source)
        FeatureExtractor.open(model, RuntimeOptions())
        kept = self._folder / published_digest(model).hex()[:NAME_DIGITS]
        if not kept.exists():
            half = kept.with_name(f".new-{secrets.token_hex(8)}")  # a killed run leaves one that nobody reads
            DISK.make_folder(half.absolute())
            for name in (ARTIFACT_FILE, BACKBONE_FILE, HEAD_FILE):
                DISK.write_file(half / name, (source / name).read_bytes())
            Model.open_folder(half)
            DISK.rename(half, kept)
        return kept

    def use(self, kept: Path) -> None:
        """Take a folder that `add` gave into use. Raises StoreError when the disk failed."""
        DISK.write_file(self._folder / CURRENT_FILE, f"{kept.name}\n".encode())
