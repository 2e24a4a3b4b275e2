"""The trial of a generation on this device's own runtime, before it goes live.

Each probe is a picture, the embedding that the server made of it, and the SKU that is clearly nearest there. Here the
picture goes through the whole recogniser. Kernels differ between machines, so vectors are compared by cosine, never by
bytes; and the candidate that looks most alike must be the probe's SKU. What is *decided* is not asked: a near-duplicate
may rightly be `ambiguous`, and calibration is free to change.
"""

import numpy as np

from skuscan.catalogue import stored_vectors
from skuscan.embedding import Embedder, dequantize
from skuscan.errors import ModelError, StoreError
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import Probe
from skuscan.recognition import RecognizerOptions
from skuscan.recognizer import Recognizer
from skuscan.scan import Eye
from skuscan.store import Generation

MINIMUM_COSINE = 0.99  # between this device's embedding of a probe and the shipped one; see docs/decisions/0046


def check_probes(generation: Generation, options: RecognizerOptions | None = None, eye: Eye | None = None) -> None:
    """Ask a generation its probes. One without probes passes when its model and its index can be opened.

    Args:
        generation: On trial.
        options: How this device scans.
        eye: What this process scans with: used when it is the generation's model, which saves the memory of opening
            that a second time. None: the model is opened here.

    Raises:
        ModelError: The network cannot run here, or a probe comes out differently.
        StoreError: A probe's picture, a record or the index is damaged.
        PictureError: A probe's picture cannot be decoded here.
    """
    same = eye is not None and eye.feature_space == generation.model.feature_space
    recognizer = Recognizer(generation, options, eye if same else None)
    for probe in generation.probes:
        cosine = probe_cosine(recognizer.eye.embedder, generation, probe)
        if not cosine >= MINIMUM_COSINE:
            raise ModelError(
                f"a probe's embedding has a cosine of at least {MINIMUM_COSINE} with the shipped one",
                f"{cosine:.4f} for {probe.sku!r}",
                "this device runs the model differently",
            )
        answer = recognizer.identify(load_picture(generation.probe_picture(probe)))
        if answer.damaged:
            raise StoreError("a generation on trial has no damaged records", f"those of {answer.damaged[0]!r}")
        nearest = max(answer.candidates, key=lambda candidate: candidate.evidence.similarity, default=None)
        if nearest is None or nearest.sku != probe.sku:
            raise ModelError(
                "a probe looks most like its own SKU", f"{nearest.sku if nearest else 'none'!r} for {probe.sku!r}"
            )


def probe_cosine(embedder: Embedder, generation: Generation, probe: Probe) -> float:
    """The lesser cosine between a probe's vectors as this device computes them and the shipped ones, a reference's.

    Raises:
        StoreError: The probe's picture is damaged.
        PictureError: It cannot be decoded here.
    """
    here = embedder.embed_reference(load_picture(generation.probe_picture(probe)))
    there = dequantize(stored_vectors([probe.embedding])[0])
    return float(np.einsum("ij,ij->i", here, there).min())
