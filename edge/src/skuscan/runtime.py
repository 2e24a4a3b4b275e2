"""The only file that knows an interpreter.

`ai-edge-litert` is taken when it is installed, else `tflite-runtime`; both have the same calls. The delegates of the
options are tried in order, and the first that takes the model runs it. What failed is kept, with the reason, so that a
device can say what runs its model. XNNPACK is no library to load but LiteRT's own default: it ends every list.
"""

import ctypes
import importlib
import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from skuscan.errors import ConfigError, ModelError

LIBRARIES = ("ai-edge-litert", "tflite-runtime")  # distributions, the preferred one first
EDGETPU_LIBRARY = "libedgetpu.so.1"
XNNPACK = "xnnpack"
NO_DELEGATE = "none"  # the library's own kernels
FILE_IDENTIFIER = b"TFL3"  # bytes 4 to 7 of every .tflite (its schema's file_identifier)


@dataclass(frozen=True)
class RuntimeOptions:
    """How the network runs.

    Raises:
        ConfigError: No thread, or a delegate that is neither known nor a path.
    """

    threads: int = 1
    delegates: tuple[str, ...] = (
        XNNPACK,
    )  # "edgetpu", "xnnpack" or the path of a delegate's library; first that works

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ConfigError("the network runs in at least one thread", str(self.threads))
        for name in self.delegates:
            if name not in ("edgetpu", XNNPACK) and "/" not in name:
                raise ConfigError("a delegate is edgetpu, xnnpack or a path with a slash", name)


@dataclass(frozen=True)
class RuntimeDescription:
    """What really runs the network."""

    library: str  # "ai-edge-litert" or "tflite-runtime"
    version: str
    delegate: str  # as in the options, or "none": the library's own kernels
    threads: int
    fallbacks: tuple[str, ...]  # "edgetpu: <why not>", in the order in which they were tried


class Runtime:
    """An int8 network, ready to run: (1, S, S, 3) uint8 in, (1, h, w, c) int8 out. Safe in any thread, one at a time.

    Attributes:
        description: What runs it.
        input_side: S, px.
        input_scale: Value of one step of the input tensor.
        input_zero_point: The input step that means 0.
    """

    def __init__(self, interpreter: Any, description: RuntimeDescription) -> None:
        """Use `Runtime.open`. `interpreter` has its tensors allocated."""
        taken, given = (
            _only(interpreter.get_input_details(), "input"),
            _only(interpreter.get_output_details(), "output"),
        )
        _check_tensor("input", taken, np.uint8)
        _check_tensor("output", given, np.int8)
        if taken["shape"][1] != taken["shape"][2] or taken["shape"][3] != 3:
            raise ModelError("a model's input is (1, S, S, 3)", str(taken["shape"].tolist()))
        self.description = description
        self.input_side = int(taken["shape"][1])
        self.input_scale, self.input_zero_point = float(taken["quantization"][0]), int(taken["quantization"][1])
        self._interpreter = interpreter
        self._lock = threading.Lock()
        self._input, self._output = taken["index"], given["index"]
        self._scale, self._zero_point = np.float32(given["quantization"][0]), np.float32(given["quantization"][1])

    @classmethod
    def open(cls, path: Path, options: RuntimeOptions = RuntimeOptions()) -> "Runtime":
        """Open a .tflite.

        Args:
            path: The model, its digest checked by the caller: tflite-runtime crashes on damaged files.
            options: Threads and delegates.

        Raises:
            ModelError: No interpreter is installed, the file is no model, or a model of another form.
        """
        library, version, module = _interpreter_module()
        _check_identifier(path)
        fallbacks: list[str] = []
        for name in (*options.delegates, XNNPACK):
            try:
                interpreter = _open_interpreter(module, path, name, options.threads)
            except (OSError, ValueError, RuntimeError) as error:
                if name == XNNPACK:  # nothing is left to try
                    raise ModelError("a model is a .tflite that the interpreter takes", f"{path}: {error}") from error
                fallbacks.append(f"{name}: {_one_line(error)}")
                continue
            if name == XNNPACK and not _has_delegated_ops(interpreter):
                fallbacks.append(f"{XNNPACK}: {library} {version} does not apply it to this model")
                name = NO_DELEGATE
            return cls(interpreter, RuntimeDescription(library, version, name, options.threads, tuple(fallbacks)))
        raise AssertionError("the loop returns or raises at XNNPACK")

    def run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the network once.

        Args:
            pixels: (1, S, S, 3) uint8, C order.

        Returns:
            (h, w, c) float32, the output with its scale and zero point taken out.
        """
        with self._lock:
            self._interpreter.set_tensor(self._input, pixels)
            self._interpreter.invoke()
            steps = self._interpreter.get_tensor(self._output)[0]
        values: npt.NDArray[np.float32] = steps.astype(np.float32)
        values -= self._zero_point
        values *= self._scale
        return values


def _interpreter_module() -> tuple[str, str, ModuleType]:
    """Distribution, version and the module with `Interpreter` and `load_delegate`; imported late, it costs 0.1 s."""
    for library in LIBRARIES:
        try:
            module = importlib.import_module(f"{library.replace('-', '_')}.interpreter")
        except ImportError:
            continue
        return library, metadata.version(library), module
    raise ModelError("an interpreter is installed", "neither of " + ", ".join(LIBRARIES), f"pip install {LIBRARIES[0]}")


def _check_identifier(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ModelError("a model is a .tflite file", f"{path}: {error.strerror}") from error
    if start[4:] != FILE_IDENTIFIER:
        raise ModelError("a model is a .tflite file", f"{path}: something else")


def _open_interpreter(module: ModuleType, path: Path, delegate: str, threads: int) -> Any:
    delegates = None if delegate == XNNPACK else [_load_delegate(module, delegate)]
    interpreter = module.Interpreter(model_path=str(path), num_threads=threads, experimental_delegates=delegates)
    interpreter.allocate_tensors()
    return interpreter


def _load_delegate(module: ModuleType, delegate: str) -> Any:
    library = EDGETPU_LIBRARY if delegate == "edgetpu" else delegate
    # Looked at first: the interpreters' class complains from its destructor about libraries that are no delegates.
    functions = ctypes.CDLL(library)
    for function in ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"):
        if not hasattr(functions, function):
            raise ValueError(f"{library} is no delegate: it has no {function}")
    return module.load_delegate(library)


def _has_delegated_ops(interpreter: Any) -> bool:
    """Whether a part of the graph was handed to XNNPACK; both libraries tell it by this name only."""
    return any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())


def _only(details: list[dict[str, Any]], what: str) -> dict[str, Any]:
    if len(details) != 1:
        raise ModelError(f"a model has one {what}", f"{len(details)}")
    return details[0]


def _check_tensor(what: str, details: dict[str, Any], dtype: type[np.generic]) -> None:
    shape, scale = details["shape"].tolist(), details["quantization"][0]
    if len(shape) != 4 or shape[0] != 1 or min(shape) < 1:
        raise ModelError(f"a model's {what} is a batch of one map of rows, columns and channels", str(shape))
    if details["dtype"] is not dtype or not scale > 0:
        received = f"{details['dtype'].__name__} of scale {scale}"
        raise ModelError(f"a model's {what} is {dtype.__name__} with one scale", received, "export it to full int8")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
