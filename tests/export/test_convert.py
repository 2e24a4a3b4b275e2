"""Conversion to int8, with a small untrained network; skipped where TensorFlow is not installed."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow (requirements-train.txt)")

from skuscan.proto.bundle_pb2 import PreprocessSpec
from skuscan.runtime import Runtime
from skuscan_export.convert import to_int8
from skuscan_export.edgetpu_ops import check_ops
from skuscan_export.graph import read_ops
from skuscan_models.backbones import build_backbone

SIZE = 64  # px
SPEC = PreprocessSpec(size=SIZE, letterbox_grey=255, scale=128.0, offset=127.0, channel_order="RGB", resampling="area")

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own


@pytest.fixture(scope="module", params=["efficientnet-lite0", "mobilenet-v3-small-minimalistic"])
def converted(request: pytest.FixtureRequest) -> bytes:
    grey = np.random.default_rng(0).integers(90, 160, (4, SIZE, SIZE, 3), dtype=np.uint8)
    return to_int8(build_backbone(request.param, SIZE), grey, SPEC)


def test_raw_pixels_go_straight_in_even_when_calibration_shows_no_black_or_white(
    converted: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "backbone.tflite"
    path.write_bytes(converted)
    runtime = Runtime.open(path)
    assert runtime.input_scale == pytest.approx(1 / SPEC.scale, abs=1e-9)
    assert runtime.input_zero_point == SPEC.offset


def test_what_comes_out_is_all_integers_of_fixed_size_on_ops_of_the_edge_tpu(converted: bytes) -> None:
    ops = read_ops(converted)
    assert check_ops(ops).fallbacks == ()
    assert (ops[0].inputs[0].dtype, ops[-1].outputs[0].dtype) == ("UINT8", "INT8")
