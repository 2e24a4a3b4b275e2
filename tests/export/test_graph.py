"""Reading .tflite files, the released one and damaged ones."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skuscan.errors import ModelError
from skuscan.model import Model
from skuscan_export.graph import read_ops

HEAD = 2_000  # bytes at the file's start that are damaged: the graph's own tables, and not the weights


def test_the_ops_of_the_released_model_are_read_in_order(released_model: Model) -> None:
    ops = read_ops(released_model.backbone.read_bytes())
    assert ops[0].inputs[0].shape == (1, 224, 224, 3)
    assert ops[0].inputs[0].dtype == "UINT8"
    assert ops[-1].outputs[0].shape == (1, 7, 7, 1280)
    assert ops[-1].outputs[0].dtype == "INT8"
    kernel = ops[1].inputs[1]
    assert (kernel.shape, kernel.constant, kernel.scales) == ((32, 3, 3, 3), True, 32)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"no model at all", b"\x00" * 100])
def test_another_kind_of_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"a model is a \.tflite"):
        read_ops(data)


def test_a_model_cut_short_is_refused(released_model: Model) -> None:
    data = released_model.backbone.read_bytes()
    with pytest.raises(ModelError):
        read_ops(data[: len(data) // 2])


@settings(max_examples=25)
@given(position=st.integers(8, HEAD), value=st.integers(0, 255))
def test_a_damaged_model_is_read_or_refused_and_nothing_else(released_model: Model, position: int, value: int) -> None:
    data = bytearray(released_model.backbone.read_bytes())
    data[position] = value
    with contextlib.suppress(ModelError):
        read_ops(bytes(data))
