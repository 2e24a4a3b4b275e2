"""The reader of legacy PyTorch files: small ones written here, honest and hostile, without torch or Keras."""

import io
import os
import pickle
import struct
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from skuscan.errors import ModelError
from skuscan_models.pretrained import MAGIC_NUMBER, PROTOCOL_VERSION, checked_weights, read_legacy_checkpoint

SYSTEM = {"protocol_version": PROTOCOL_VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class _Storage:
    def __init__(self, numbers: npt.NDArray[Any]) -> None:
        self.numbers = numbers
        self.key = str(id(self))


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.parts: tuple[Any, ...] = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Storage):
            kind = {"float32": "FloatStorage", "int64": "LongStorage"}[obj.numbers.dtype.name]
            return ("storage", getattr(sys.modules["torch"], kind), obj.key, "cpu", len(obj.numbers), None)
        return None


@pytest.fixture
def fake_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough of torch's names for pickle to refer to them."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*_: Any) -> None: ...

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", "_rebuild_tensor_v2", "x"
    utils._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def checkpoint(tensors: dict[str, Any], storages: list[_Storage], system: dict[str, Any] = SYSTEM) -> bytes:
    out = io.BytesIO()
    for part in (MAGIC_NUMBER, PROTOCOL_VERSION, system, OrderedDict(tensors), [s.key for s in storages]):
        _Pickler(out, protocol=2).dump(part)
    for storage in storages:
        out.write(struct.pack("<q", len(storage.numbers)) + storage.numbers.tobytes())
    return out.getvalue()


@pytest.mark.usefixtures("fake_torch")
def test_tensors_come_back_with_their_strides_undone() -> None:
    floats, longs = _Storage(np.arange(12, dtype=np.float32)), _Storage(np.array([7], np.int64))
    data = checkpoint(
        {
            "plain": _Tensor(floats, 0, (3, 4), (4, 1)),
            "turned": _Tensor(floats, 0, (4, 3), (1, 4)),
            "late": _Tensor(floats, 10, (2,), (1,)),
            "count": _Tensor(longs, 0, (), ()),
        },
        [longs, floats],
    )
    found = read_legacy_checkpoint(data)
    plain = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(found["plain"], plain)
    np.testing.assert_array_equal(found["turned"], plain.T)
    np.testing.assert_array_equal(found["late"], [10, 11])
    assert found["count"] == 7


@pytest.mark.usefixtures("fake_torch")
@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(5, (2, 4), (4, 1)), (-1, (2,), (1,)), (0, (2, 2), (-1, 1)), (0, (1 << 40,), (1,))]
)
def test_a_tensor_that_looks_outside_its_storage_is_refused(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    storage = _Storage(np.zeros(12, np.float32))
    with pytest.raises(ModelError, match="inside its storage"):
        read_legacy_checkpoint(checkpoint({"w": _Tensor(storage, offset, shape, strides)}, [storage]))


@pytest.mark.usefixtures("fake_torch")
def test_a_file_cut_anywhere_is_refused() -> None:
    storage = _Storage(np.ones(6, np.float32))
    data = checkpoint({"w": _Tensor(storage, 0, (6,), (1,))}, [storage])
    for length in range(len(data)):
        with pytest.raises(ModelError):
            read_legacy_checkpoint(data[:length])


def test_a_pickle_that_calls_something_else_is_refused_before_it_runs(tmp_path: Path) -> None:
    target = tmp_path / "must-not-be-made"

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(target),)

    out = io.BytesIO()
    parts: list[Any] = [MAGIC_NUMBER, PROTOCOL_VERSION, SYSTEM, {"w": Attack()}, []]
    for part in parts:
        pickle.dump(part, out, protocol=2)
    with pytest.raises(ModelError, match="tensor classes only"):
        read_legacy_checkpoint(out.getvalue())
    assert not target.exists()


@pytest.mark.usefixtures("fake_torch")
def test_big_endian_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="little-endian"):
        read_legacy_checkpoint(checkpoint({}, [], {**SYSTEM, "little_endian": False}))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a zip, as newer versions write", b"\x80\x02K\x01."])
def test_another_kind_of_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="legacy PyTorch file"):
        read_legacy_checkpoint(data)


def test_weights_of_another_digest_are_refused() -> None:
    with pytest.raises(ModelError, match="SHA-256"):
        checked_weights(b"not the release that is known")
