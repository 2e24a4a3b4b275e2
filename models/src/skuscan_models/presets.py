"""Named presets: which backbone, which weights, which picture goes in, how the map is pooled.

A better-trained embedding slots in here: add a preset whose `load_weights` fills in its own weights, export it, and
everything downstream follows, because its artefact has another digest and so another feature space.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from skuscan.errors import ModelError
from skuscan.proto.bundle_pb2 import PreprocessSpec
from skuscan_models.backbones import Backbone, build_backbone
from skuscan_models.pretrained import load_imagenet_weights


def imagenet_preprocess() -> PreprocessSpec:
    """224 px on white, `(pixel - 127) / 128`: what EfficientNet-Lite was trained with."""
    return PreprocessSpec(
        size=224, letterbox_grey=255, scale=128.0, offset=127.0, channel_order="RGB", resampling="area"
    )


@dataclass(frozen=True)
class Preset:
    """Everything that decides an embedding, apart from the pictures that its head is fitted on.

    Attributes:
        backbone: Name in `skuscan_models.backbones`.
        load_weights: Fills a built backbone in place.
        preprocess: How a picture becomes the network's input.
        gem_p: Exponent of GeM pooling.
        shrinkage: Of the head's whitening; see `skuscan_models.heads.fit_head`.
    """

    backbone: str
    load_weights: Callable[[Backbone], None]
    preprocess: PreprocessSpec = field(default_factory=imagenet_preprocess)
    gem_p: float = 2.0
    shrinkage: float = 1.0

    def build(self) -> Backbone:
        """The float network with its weights: (n, S, S, 3) float32 -> (n, h, w, c) float32."""
        model = build_backbone(self.backbone, self.preprocess.size)
        self.load_weights(model)
        return model


PRESETS: dict[str, Preset] = {
    "efficientnet-lite0-imagenet": Preset("efficientnet-lite0", load_imagenet_weights),
}


def preset(name: str) -> Preset:
    """The preset of that name. Raises ModelError when there is none."""
    if name not in PRESETS:
        raise ModelError(f"a preset is one of {', '.join(sorted(PRESETS))}", name)
    return PRESETS[name]
