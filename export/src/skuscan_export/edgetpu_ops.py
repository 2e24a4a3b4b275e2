"""Which ops of a .tflite Google's Edge TPU compiler maps to the accelerator, by its documentation.

The compiler is on no package registry, so this is a check against its published list, not a compilation: a model
that passes is *expected* to map. Whether it does is known only once `edgetpu_compiler` has compiled it.

Source: https://coral.ai/docs/edgetpu/models-intro/#supported-operations, "Table 1", and the section "Model
requirements": integer tensors, sizes fixed at compile time, at most three dimensions larger than one. The compiler cuts
a graph once: from the first op that it cannot map, everything runs on the CPU, mappable or not (section "Compiling").
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from skuscan_export.graph import Op, Tensor

SOURCE = "https://coral.ai/docs/edgetpu/models-intro/#supported-operations"
INTEGER_TYPES = frozenset({"INT8", "UINT8", "INT32"})  # INT32: biases and shapes
MAX_LARGE_DIMENSIONS = 3  # how many sizes of a tensor may exceed 1

# Op -> the table's known limitation, for the reader of a report; empty where it names none.
MAPPABLE: dict[str, str] = {
    "ADD": "",
    "AVERAGE_POOL_2D": "no fused activation",
    "CONCATENATION": "no fused activation; a constant input must be zeros, beside one other",
    "CONV_2D": "same dilation in x and y",
    "DEPTHWISE_CONV_2D": "no dilation",
    "EXPAND_DIMS": "",
    "FULLY_CONNECTED": "default weight format; one-dimensional output",
    "L2_NORMALIZATION": "",
    "LOGISTIC": "",
    "LSTM": "one direction",
    "MAXIMUM": "",
    "MAX_POOL_2D": "no fused activation",
    "MEAN": "not over the batch",
    "MINIMUM": "",
    "MUL": "",
    "PACK": "not in the batch",
    "PAD": "not in the batch",
    "PRELU": "one-dimensional alpha",
    "QUANTIZE": "",
    "REDUCE_MAX": "not over the batch",
    "REDUCE_MIN": "not over the batch",
    "RELU": "",
    "RELU6": "",
    "RELU_N1_TO_1": "",
    "RESHAPE": "very large tensors may stay on the CPU",
    "RESIZE_BILINEAR": "three-dimensional; some sizes stay on the CPU",
    "RESIZE_NEAREST_NEIGHBOR": "three-dimensional; some sizes stay on the CPU",
    "RSQRT": "",
    "SLICE": "",
    "SOFTMAX": "one-dimensional input of at most 16,000",
    "SPACE_TO_DEPTH": "",
    "SPLIT": "not in the batch",
    "SQUARED_DIFFERENCE": "",
    "SQUEEZE": "only when it moves no data",
    "STRIDED_SLICE": "strides of 1",
    "SUB": "",
    "SUM": "not over the batch",
    "TANH": "",
    "TRANSPOSE": "",
    "TRANSPOSE_CONV": "",
}


@dataclass(frozen=True)
class Fallback:
    """An op that would run on the CPU.

    Attributes:
        index: Its place in the graph.
        name: E.g. "POW".
        reason: Why, in words.
    """

    index: int
    name: str
    reason: str


@dataclass(frozen=True)
class OpReport:
    """What is expected of the Edge TPU compiler.

    Attributes:
        counts: How often each op occurs.
        fallbacks: The ops that are not mappable themselves.
        cut_at: Index of the first of them: from there on the CPU computes; None when all map.
    """

    counts: Counter[str]
    fallbacks: tuple[Fallback, ...]
    cut_at: int | None


def check_ops(ops: Sequence[Op]) -> OpReport:
    """Hold a graph against the compiler's published list."""
    fallbacks = tuple(
        Fallback(index, op.name, reason) for index, op in enumerate(ops) if (reason := _obstacle(op)) is not None
    )
    return OpReport(Counter(op.name for op in ops), fallbacks, fallbacks[0].index if fallbacks else None)


def _obstacle(op: Op) -> str | None:
    """Why an op does not map; None when it does."""
    if op.name not in MAPPABLE:
        return "not an op of the Edge TPU"
    for tensor in (*op.inputs, *op.outputs):
        problem = _tensor_obstacle(tensor)
        if problem:
            return f"tensor {tensor.name}: {problem}"
    return None


def _tensor_obstacle(tensor: Tensor) -> str | None:
    if tensor.dtype not in INTEGER_TYPES:
        return f"{tensor.dtype} is no 8-bit integer"
    if any(n < 0 for n in tensor.shape):
        return f"its shape {tensor.shape} is not fixed"
    if not tensor.constant:  # the two rules for activations; weights may have a scale per channel
        if tensor.scales > 1:
            return f"{tensor.scales} scales where an activation has one"
        if sum(n > 1 for n in tensor.shape) > MAX_LARGE_DIMENSIONS:
            return f"its shape {tensor.shape} has more than {MAX_LARGE_DIMENSIONS} dimensions above 1"
    return None
