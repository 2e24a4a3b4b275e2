"""The released model artefacts, installed as data: one folder each."""

import importlib.resources
from pathlib import Path

RELEASED = "efficientnet-lite0-products"  # in use where nobody names another


def released_folder() -> Path:
    """The folder of the model that is in use where nobody names another."""
    return Path(str(importlib.resources.files(__name__))) / RELEASED
