"""The network of a patch, its loss, and its weights as the whole numbers that devices compute with."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from skuscan.descriptors import (
    CONTRAST,
    DESCRIPTOR_BYTES,
    INPUT_LIMIT,
    SAMPLES,
    DescriptorWeights,
    network_input,
)

HIDDEN = 256
BITS = 8 * DESCRIPTOR_BYTES
MAX_SHIFT = 16
FULL_HIDDEN = 0.999  # quantile of a hidden output that fills its range
FAR_BELOW = 1e4  # what is taken off a logit that does not count

FloatArray = npt.NDArray[np.float32]


def patch_network() -> keras.Model:
    """(n, 256) patches of `network_input`, over its `CONTRAST` -> (n, 160), whose signs are the bits."""
    patch = layers.Input((SAMPLES * SAMPLES,))
    hidden = layers.Dense(HIDDEN, activation="relu", kernel_initializer="he_normal", name="hidden")(patch)
    return keras.Model(patch, layers.Dense(BITS, name="last")(hidden))


def inputs_of(patches: npt.NDArray[np.uint8]) -> FloatArray:
    """(n, 256) uint8 -> (n, 256) float32, as the network is trained with."""
    return np.asarray(network_input(patches) / np.float32(CONTRAST), np.float32)


@dataclass(frozen=True)
class PatchContrast:
    """Contrast of pairs within a batch, both ways (Oord et al. 2018, "Representation learning with contrastive
    predictive coding"), on outputs that tanh draws to -1 and 1.

    The rows are n patches of packages, the n of photos that are their pairs, and n other patches of those photos.
    Patches that all but coincide, one at the next octave say, are no negatives of each other.

    Attributes:
        temperature: Of the softmax.
        apart: Keypoints of one photo nearer than this are no negatives, px at the larger one's scale.
    """

    temperature: float = 0.1
    apart: float = 6.0

    def __call__(self, labels: Any, outputs: Any) -> Any:
        """The mean over the pairs.

        Args:
            labels: (3n, 4) float32: number of the photo, then x, y and size as in `PatchPairs.places`.
            outputs: (3n, 160) float32.
        """
        codes = ops.normalize(ops.tanh(outputs), axis=-1)
        package, photo, other = ops.split(codes, 3)
        of_package, of_photo, of_other = ops.split(ops.cast(labels, codes.dtype), 3)
        own = ops.eye(ops.shape(package)[0])
        alike = ops.maximum(self._near(of_package, of_package), self._near(of_photo, of_photo))
        across = self._logits(package, photo, alike * (1 - own))
        beside = self._logits(package, other, self._near(of_photo, of_other))
        right = ops.diagonal(across)
        among_packages = self._logits(package, package, ops.maximum(alike, own))
        among_photos = self._logits(photo, photo, ops.maximum(alike, own))
        there = ops.logsumexp(ops.concatenate([across, beside, among_packages], axis=1), axis=1)
        back = ops.logsumexp(ops.concatenate([ops.transpose(across), among_photos], axis=1), axis=1)
        return ops.mean(there + back - 2 * right)

    def _logits(self, some: Any, others: Any, not_counted: Any) -> Any:
        return ops.matmul(some, ops.transpose(others)) / self.temperature - FAR_BELOW * not_counted

    def _near(self, some: Any, others: Any) -> Any:
        """(n, m) of 0 and 1: keypoints of one photo, and of nearly one place."""
        apart = ops.sum(ops.square(some[:, None, 1:3] - others[None, :, 1:3]), axis=2)
        reach = self.apart * ops.maximum(some[:, None, 3], others[None, :, 3])
        near = ops.logical_and(apart < reach * reach, ops.equal(some[:, None, 0], others[None, :, 0]))
        return ops.cast(near, "float32")


def whole_weights(network: keras.Model, patches: npt.NDArray[np.uint8]) -> DescriptorWeights:
    """The network's weights as whole numbers.

    A hidden output may be scaled if what reads it is scaled back, and only the sign of a bit's sum counts: so every
    column of weights fills its range of +-127.

    Args:
        network: Trained.
        patches: (n, 256) uint8, which show how large hidden outputs become.
    """
    kernel, bias = network.get_layer("hidden").get_weights()
    kernel = kernel / CONTRAST  # inputs are whole numbers now
    hidden = np.maximum(network_input(patches) @ kernel + bias, 0)
    full = np.maximum(np.quantile(hidden, FULL_HIDDEN, axis=0), 1e-3)
    greatest = INPUT_LIMIT / np.maximum(np.abs(kernel).max(axis=0), 1e-9)  # factors at which the weights are full
    shift = int(np.clip(np.floor(np.median(np.log2(greatest * full / INPUT_LIMIT))), 0, MAX_SHIFT))
    factors = np.minimum(greatest, INPUT_LIMIT * 2.0**shift / full)
    last_kernel, last_bias = network.get_layer("last").get_weights()
    last_kernel = last_kernel * (2.0**shift / factors)[:, None]
    last_factors = INPUT_LIMIT / np.maximum(np.abs(last_kernel).max(axis=0), 1e-9)
    return DescriptorWeights(
        _whole(kernel * factors),
        _whole(bias * factors),
        shift,
        _whole(last_kernel * last_factors),
        _whole(last_bias * last_factors),
    )


def _whole(values: npt.NDArray[np.floating[Any]]) -> FloatArray:
    return np.asarray(np.rint(values), np.float32)
