"""Losses that classify by a trained direction per instance, its proxy, with a margin.

The proxies are weights, so they live in a layer: `ProxyCosines` takes the embeddings and gives a cosine for every
instance of the training set, and a loss here reads those. In training the network ends in that layer; what a device
gets ends before it, at the embedding. It suits sets of tens of thousands of instances at most, all seen again and
again; where every batch draws new products there is nothing for a proxy to learn.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import keras
from keras import layers, ops

from skuscan_models.training.losses.pairs import NOTHING, PACKAGE, Loss, Tensor, split_labels

MIN_SQUARED_SINE = 1e-6  # below it the angle is taken for 0: the slope of the root there is without bound


@keras.saving.register_keras_serializable(PACKAGE)
class ProxyCosines(layers.Layer):  # type: ignore[misc]  # keras carries no types
    """Embeddings (n, d), unit rows -> cosines with the proxies (n, instances) float32."""

    def __init__(self, instances: int, **kwargs: Any) -> None:
        """`instances`: of the training set; labels count from 0."""
        super().__init__(**kwargs)
        self.instances = instances

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the proxies, in random directions."""
        self.proxies = self.add_weight(
            name="proxies", shape=(self.instances, input_shape[-1]), initializer="random_normal"
        )

    def call(self, embeddings: Tensor) -> Tensor:
        """Keras calls it."""
        return ops.matmul(embeddings, ops.transpose(ops.normalize(self.proxies, axis=-1)))

    def get_config(self) -> dict[str, Any]:
        """For a saved network."""
        return {**super().get_config(), "instances": self.instances}


@dataclass(frozen=True)
class ProxyLoss(Loss):
    """Cross entropy over scaled cosines, the right one lowered by a margin, so that right must be right by more.

    Attributes:
        scale: Of the cosines.
        margin: How much is asked for; see the loss itself.
        groups: Of each instance of the training set, as in labels, -1 for none: a row is not pushed away from proxies
            of its own group. Empty: no groups at all.
    """

    scale: float
    margin: float
    groups: tuple[int, ...] = ()

    def __call__(self, labels: Tensor, output: Tensor) -> Tensor:
        """The mean over rows; `output` is (n, instances), cosines."""
        cosines = ops.clip(ops.cast(output, "float32"), -1.0, 1.0)
        instances, groups = split_labels(labels)
        right = ops.equal(instances[:, None], ops.arange(ops.shape(cosines)[1], dtype="int32")[None, :])
        logits = self.scale * ops.where(right, self.lowered(cosines), cosines)
        if self.groups:
            proxy_groups = ops.convert_to_tensor(self.groups, "int32")
            alike = ops.logical_and(ops.equal(groups[:, None], proxy_groups[None, :]), groups[:, None] >= 0)
            logits = ops.where(ops.logical_and(alike, ops.logical_not(right)), NOTHING, logits)
        chosen = ops.sum(ops.where(right, logits, 0.0), axis=-1)
        return ops.mean(ops.logsumexp(logits, axis=-1) - chosen)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The loss with those options; a saved network has lists for tuples."""
        return cls(**{**config, "groups": tuple(config["groups"])})

    @abstractmethod
    def lowered(self, cosines: Tensor) -> Tensor:
        """Cosines less the margin."""


@keras.saving.register_keras_serializable(PACKAGE)
@dataclass(frozen=True)
class ArcFace(ProxyLoss):
    """The margin is an angle, in radians.

    Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", equation 3. Where angle and
    margin together pass pi the cosine would rise again; there, as in the authors' code, it is lowered in a line.
    """

    scale: float = 64.0
    margin: float = 0.5

    def lowered(self, cosines: Tensor) -> Tensor:
        """cos(angle + margin)."""
        sines = ops.sqrt(ops.maximum(1 - ops.square(cosines), MIN_SQUARED_SINE))
        turned = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        beyond = cosines < math.cos(math.pi - self.margin)
        return ops.where(beyond, cosines - self.margin * math.sin(self.margin), turned)


@keras.saving.register_keras_serializable(PACKAGE)
@dataclass(frozen=True)
class CosFace(ProxyLoss):
    """The margin is taken off the cosine.

    Wang et al. 2018, "CosFace: Large Margin Cosine Loss for Deep Face Recognition", equation 4.
    """

    scale: float = 64.0
    margin: float = 0.35

    def lowered(self, cosines: Tensor) -> Tensor:
        """cos(angle) - margin."""
        return cosines - self.margin
