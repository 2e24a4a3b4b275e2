"""Reads what a .tflite is made of: its ops in order, and the type and shape of every tensor.

It reads the file itself (a flatbuffer), not an interpreter's view of it, in which delegates have replaced ops.
"""

import struct
from dataclasses import dataclass
from typing import Any

from skuscan.errors import ModelError

IDENTIFIER_END = 8  # bytes; a flatbuffer begins with an offset and four letters, here TFL3


@dataclass(frozen=True)
class Tensor:
    """A value in the graph.

    Attributes:
        dtype: As TFLite spells it, e.g. "INT8".
        shape: Rows of 0 or more; -1 where the size is only known while running.
        scales: How many quantisation scales it has: 0 none, 1 per tensor, more per channel.
        constant: Whether its numbers are in the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: int
    constant: bool


@dataclass(frozen=True)
class Op:
    """One step of the graph, e.g. "CONV_2D"."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read_ops(data: bytes) -> list[Op]:
    """The ops of a .tflite's main graph, in the order in which they run.

    Raises:
        ModelError: It is no .tflite, or is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    if len(data) < IDENTIFIER_END or not schema.Model.ModelBufferHasIdentifier(data, 0):
        raise ModelError("a model is a .tflite", f"{len(data)} bytes of something else")
    try:
        model = schema.ModelT.InitFromPackedBuf(data)
        graph = model.subgraphs[0]
        tensors = [_tensor(schema, model, tensor) for tensor in graph.tensors]
        names = [_op_name(schema, code) for code in model.operatorCodes]
        return [
            Op(
                names[op.opcodeIndex],
                tuple(tensors[i] for i in op.inputs if i >= 0),  # -1: an optional input left out
                tuple(tensors[i] for i in op.outputs),
            )
            for op in graph.operators
        ]
    except (struct.error, IndexError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise ModelError("a .tflite is whole", str(error)) from error


def _tensor(schema: Any, model: Any, tensor: Any) -> Tensor:
    shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    quantization = tensor.quantization
    scales = 0 if quantization is None or quantization.scale is None else len(quantization.scale)
    return Tensor(
        name=tensor.name.decode(),
        dtype=_constant_name(schema.TensorType, tensor.type),
        shape=tuple(int(n) for n in shape) if shape is not None else (),
        scales=scales,
        constant=model.buffers[tensor.buffer].data is not None,
    )


def _op_name(schema: Any, code: Any) -> str:
    # Codes above 127 did not fit the first field, which then holds a placeholder of 127.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _constant_name(schema.BuiltinOperator, number)
    return f"CUSTOM {code.customCode.decode()}" if name == "CUSTOM" else name


def _constant_name(enum: Any, value: int) -> str:
    names: dict[str, int] = {name: number for name, number in vars(enum).items() if not name.startswith("_")}
    for name, number in names.items():
        if number == value:
            return name
    raise ValueError(f"{enum.__name__} has no {value}")
