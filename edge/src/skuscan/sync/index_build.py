"""Build the search index on the device, in a child process: its memory goes back to the system at once."""

import subprocess
import sys
from pathlib import Path

from skuscan.errors import StoreError
from skuscan.proto.bundle_pb2 import AnnoyRef
from skuscan.store.build import IndexBuilder

# Not multiprocessing: that would run the caller's own script once more in the child.
_CHILD = """
import pathlib, resource, sys, numpy, skuscan.annoy_file
rows, index, most_bytes, trees, seed = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), int(most_bytes)))
skuscan.annoy_file.build_annoy(numpy.load(rows, mmap_mode="r"), pathlib.Path(index), int(trees), int(seed))
"""


def child_builder(annoy: AnnoyRef) -> IndexBuilder:
    """A builder for `Store.prepare`, with the trees and the seed that were published.

    The builder raises StoreError when the child fails, also for an index that grows too large.
    """

    def build(rows: Path, index: Path, most_bytes: int) -> None:
        command = [sys.executable, "-c", _CHILD, str(rows), str(index)]
        command += [str(number) for number in (most_bytes, annoy.trees, annoy.seed)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise StoreError("the index can be built here", f"{index}: {error.strerror}", "free some space") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise StoreError("the index can be built here", last, "sync with --index-policy download")

    return build
