"""Build the search index on the device, in a child process: its memory goes back to the system at once."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.errors import StoreError
from skuscan.proto.bundle_pb2 import AnnoyRef
from skuscan.store.build import IndexBuilder

# Not multiprocessing: that would run the caller's own script once more in the child.
_CHILD = """
import pathlib, sys, numpy, skuscan.index
rows, index, trees, seed = sys.argv[1:]
skuscan.index.build_annoy(numpy.load(rows), pathlib.Path(index), int(trees), int(seed))
"""


def child_builder(annoy: AnnoyRef) -> IndexBuilder:
    """A builder for `Store.prepare`, with the trees and the seed that were published.

    The builder raises StoreError when the child fails.
    """

    def build(rows: npt.NDArray[np.int8], path: Path) -> None:
        saved = path.with_suffix(".rows.npy")
        try:
            np.save(saved, rows)
            command = [sys.executable, "-c", _CHILD, str(saved), str(path), str(annoy.trees), str(annoy.seed)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise StoreError("the index can be built here", f"{path}: {error.strerror}", "free some space") from error
        finally:
            saved.unlink(missing_ok=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise StoreError("the index can be built here", last, "sync with --index-policy download")

    return build
