"""The released model artefacts, installed as data: one folder each."""

import importlib.resources
from pathlib import Path

RELEASED = "efficientnet-lite0-products"  # in use where nobody names another
CLEAN = "efficientnet-lite0-products-clean"  # trained on pictures with a stated licence alone


def released_folder(name: str = RELEASED) -> Path:
    """The folder of a released model; by default of the one that is in use where nobody names another."""
    return Path(str(importlib.resources.files(__name__))) / name
