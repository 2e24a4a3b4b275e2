"""Make Annoy files. Imports little: a device makes one in a child process, whose imports count as its memory."""

import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from skuscan.errors import ConfigError

ANNOY_METRIC: Final = "angular"


def annoy_installed() -> bool:
    """Whether Annoy files are of any use here."""
    return importlib.util.find_spec("annoy") is not None


def build_annoy(rows: npt.NDArray[np.int8], path: Path, trees: int, seed: int) -> None:
    """Write an Annoy file whose item i is vector i.

    The same rows, trees and seed give the same bytes on one machine. The caller makes the file durable.

    Args:
        rows: (N, 2, 256) int8: the vectors of row i are items 2 i and 2 i + 1.
        path: Where to write; not a file that somebody has mapped.
        trees: More trees find more and take more bytes.
        seed: 0 to 2^32 - 1.

    Raises:
        ConfigError: Annoy is not installed.
    """
    try:
        import annoy
    except ImportError as error:
        raise ConfigError("Annoy builds an Annoy file", "it is not installed", "pip install skuscan[annoy]") from error
    vectors = rows.reshape(-1, rows.shape[-1])
    forest: Any = annoy.AnnoyIndex(vectors.shape[1], ANNOY_METRIC)
    forest.set_seed(seed)
    for item, vector in enumerate(vectors):
        forest.add_item(item, vector.tolist())
    forest.build(trees, n_jobs=1)
    forest.save(str(path))
