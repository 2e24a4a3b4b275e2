"""The trial of a generation on this device's own runtime, before it goes live.

Each probe is a picture, the embedding that the server made of it, and the SKU that is clearly nearest there. Here the
picture goes through this device's decoder, network and index: kernels differ between machines, so vectors are compared
by cosine, never by bytes, and the nearest SKU must be the same.
"""

import numpy as np

from skuscan.embedding import Embedder, dequantize
from skuscan.errors import ModelError
from skuscan.index import LayeredIndex
from skuscan.picture import load_picture
from skuscan.runtime import RuntimeOptions
from skuscan.store import Generation

MINIMUM_COSINE = 0.995  # between this device's embedding of a probe and the shipped one; runtimes measured: 0.9977
RUNTIME = RuntimeOptions()


def check_probes(generation: Generation, runtime: RuntimeOptions = RUNTIME) -> None:
    """Ask a generation its probes. One without probes passes when model and index can be opened.

    Raises:
        ModelError: The network cannot run here, or a probe comes out differently.
        StoreError: A probe's picture or the index is damaged.
        PictureError: A probe's picture cannot be decoded here.
    """
    embedder = Embedder.open(generation.model, runtime)
    index = LayeredIndex.open(generation)
    for probe in generation.probes:
        vector = embedder.embed(load_picture(generation.probe_picture(probe)))
        cosine = float(vector @ dequantize(np.frombuffer(probe.embedding, np.int8)))
        if not cosine >= MINIMUM_COSINE:
            raise ModelError(
                f"a probe's embedding has a cosine of at least {MINIMUM_COSINE} with the shipped one",
                f"{cosine:.4f} for {probe.sku!r}",
                "this device runs the model differently",
            )
        nearest = index.search(vector, 1)
        if not nearest or nearest[0].sku != probe.sku:
            found = repr(nearest[0].sku) if nearest else "none"
            raise ModelError("a probe finds its own SKU", f"{found} for {probe.sku!r}")
