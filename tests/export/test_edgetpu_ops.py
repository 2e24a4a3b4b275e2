"""The released model, and graphs that would fall back, against the list of the Edge TPU compiler's ops."""

import re
from dataclasses import replace

import pytest

from skuscan.model import Model
from skuscan_export.edgetpu_ops import check_ops
from skuscan_export.graph import Op, Tensor, read_ops

ACTIVATION = Tensor("map", "INT8", (1, 7, 7, 64), scales=1, constant=False)
WEIGHTS = Tensor("kernel", "INT8", (64, 3, 3, 64), scales=64, constant=True)
BIAS = Tensor("bias", "INT32", (64,), scales=64, constant=True)
CONVOLUTION = Op("CONV_2D", (ACTIVATION, WEIGHTS, BIAS), (ACTIVATION,))


def test_every_op_of_the_released_model_is_one_that_the_compiler_maps(released_model: Model) -> None:
    report = check_ops(read_ops(released_model.backbone.read_bytes()))
    assert report.fallbacks == ()
    assert report.cut_at is None
    assert set(report.counts) == {"QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "ADD"}


def test_an_op_off_the_list_is_named_and_cuts_the_graph_there() -> None:
    gem = Op("POW", (ACTIVATION,), (ACTIVATION,))
    report = check_ops([CONVOLUTION, gem, CONVOLUTION, gem])
    assert [(f.index, f.name, f.reason) for f in report.fallbacks] == [
        (1, "POW", "not an op of the Edge TPU"),
        (3, "POW", "not an op of the Edge TPU"),
    ]
    assert report.cut_at == 1
    assert report.counts == {"CONV_2D": 2, "POW": 2}


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (replace(ACTIVATION, dtype="FLOAT32"), "FLOAT32 is no 8-bit integer"),
        (replace(ACTIVATION, dtype="INT16"), "INT16 is no 8-bit integer"),
        (replace(ACTIVATION, shape=(-1, 7, 7, 64)), r"\(-1, 7, 7, 64\) is not fixed"),
        (replace(ACTIVATION, scales=64), "64 scales where an activation has one"),
        (replace(ACTIVATION, shape=(2, 7, 7, 64)), "more than 3 dimensions above 1"),
    ],
)
def test_a_tensor_that_the_edge_tpu_does_not_take_is_named(tensor: Tensor, reason: str) -> None:
    report = check_ops([replace(CONVOLUTION, outputs=(tensor,))])
    assert len(report.fallbacks) == 1
    assert re.search(reason, report.fallbacks[0].reason)


def test_an_empty_graph_has_nothing_to_fall_back() -> None:
    assert check_ops([]).cut_at is None
