"""The released model artefacts, installed as data: one folder each."""

import importlib.resources
from pathlib import Path

CLEAN = "efficientnet-lite0-products-clean"  # trained on pictures with a stated licence alone
ALL = "efficientnet-lite0-products"  # on package scans and videos, too, whose licence nobody states
IN_USE = CLEAN  # where nobody names another


def released_folder(name: str = IN_USE) -> Path:
    """The folder of a released model; by default of the one that is in use where nobody names another."""
    return Path(str(importlib.resources.files(__name__))) / name
