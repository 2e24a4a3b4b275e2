"""The interpreter behind one class: what it takes, what it refuses, and that it says what it runs on."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from skuscan import runtime
from skuscan.errors import ConfigError, ModelError
from skuscan.model import Model
from skuscan.runtime import LIBRARIES, Runtime, RuntimeDescription, RuntimeOptions

DESCRIPTION = RuntimeDescription("ai-edge-litert", "0", "none", 1, ())
SIDE = 8  # px, of the fake network's input


@pytest.fixture(scope="module")
def backbone(released_model: Model) -> Path:
    return released_model.backbone


def noise(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, side, side, 3), dtype=np.uint8)


def test_the_released_network_gives_a_feature_map(backbone: Path) -> None:
    network = Runtime.open(backbone)
    got = network.run(noise(network.input_side))
    assert got.shape == (7, 7, 1280)
    assert got.dtype == np.float32
    assert got.std() > 0


def test_the_description_says_what_runs(backbone: Path) -> None:
    got = Runtime.open(backbone, RuntimeOptions(threads=2)).description
    assert got.library in LIBRARIES
    assert got.version[0].isdigit()
    assert got.threads == 2
    if got.library == "ai-edge-litert":
        assert (got.delegate, got.fallbacks) == ("xnnpack", ())
    else:  # tflite-runtime does not apply XNNPACK to int8
        assert got.delegate == "none"
        assert [reason.split(":")[0] for reason in got.fallbacks] == ["xnnpack"]


def test_a_delegate_that_is_not_there_is_named_and_the_processor_takes_over(backbone: Path) -> None:
    options = RuntimeOptions(delegates=("edgetpu", "/opt/none/libnone.so"))
    network = Runtime.open(backbone, options)
    assert network.description.delegate in ("xnnpack", "none")
    edgetpu, by_path = network.description.fallbacks[:2]
    assert edgetpu.startswith("edgetpu: libedgetpu.so.1: cannot open")
    assert by_path.startswith("/opt/none/libnone.so: ")
    plain = Runtime.open(backbone)
    np.testing.assert_array_equal(network.run(noise(224)), plain.run(noise(224)))


DELEGATE = """
#include <stdint.h>
#include <stddef.h>
/* The first members of TfLiteDelegate, tensorflow/lite/core/c/common.h */
struct delegate { void *data; int (*prepare)(void *, void *); void *from, *to, *free; int64_t flags; void *builder; };
static int prepare(void *context, void *delegate) { return 0; }
static struct delegate one = {NULL, prepare, NULL, NULL, NULL, 0, NULL};
void *tflite_plugin_create_delegate(char **keys, char **values, size_t n, void (*report)(const char *)) {
#ifdef BROKEN
    report("no accelerator is plugged in");
    return NULL;
#else
    return &one;
#endif
}
void tflite_plugin_destroy_delegate(void *delegate) {}
"""


def compile_library(folder: Path, name: str, source: str, *flags: str) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    path = folder / f"{name}.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), *flags]
    subprocess.run(command, input=source.encode(), check=True)
    return str(path)


def test_a_delegate_by_path_is_taken(backbone: Path, tmp_path: Path) -> None:
    library = compile_library(tmp_path, "delegate", DELEGATE)
    network = Runtime.open(backbone, RuntimeOptions(delegates=(library, "xnnpack")))
    assert network.description.delegate == library
    assert network.description.fallbacks == ()
    assert network.run(noise(224)).shape == (7, 7, 1280)


def test_a_delegate_that_fails_is_passed_over_with_its_own_words(backbone: Path, tmp_path: Path) -> None:
    broken = compile_library(tmp_path, "broken", DELEGATE, "-DBROKEN")
    other = compile_library(tmp_path, "other", "int answer(void) { return 42; }")
    got = Runtime.open(backbone, RuntimeOptions(delegates=(broken, other))).description
    assert got.delegate in ("xnnpack", "none")
    assert got.fallbacks[0].startswith(f"{broken}: ")
    assert "no accelerator is plugged in" in got.fallbacks[0]
    assert "it has no tflite_plugin_create_delegate" in got.fallbacks[1]


@pytest.mark.parametrize("options", [{"threads": 0}, {"delegates": ("edgtpu",)}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RuntimeOptions(**options)


def test_threads_share_one_network(backbone: Path) -> None:
    network = Runtime.open(backbone)
    pictures = [noise(224, seed) for seed in range(4)]
    alone = [network.run(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        for expected, got in zip(alone * 3, pool.map(network.run, pictures * 3), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    for name, data in {"text": b"this is not a model", "short": b"TFL3", "empty": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=f"{name}: something else"):
            Runtime.open(tmp_path / name)
    with pytest.raises(ModelError, match="No such file"):
        Runtime.open(tmp_path / "missing")


@pytest.mark.guarantee("G11")
def test_a_damaged_network_is_refused_before_an_interpreter_sees_it(released_model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(released_model.backbone.parent, folder)
    whole = (folder / "backbone.tflite").read_bytes()
    for damaged in (whole[:100_000], whole[:-1], whole[:5000] + bytes(100) + whole[5100:]):
        (folder / "backbone.tflite").write_bytes(damaged)
        with pytest.raises(ModelError, match="SHA-256"):
            Model.open_folder(folder)


def test_without_an_interpreter_the_advice_is_what_to_install(backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "LIBRARIES", ("absent-one", "absent-two"))
    with pytest.raises(ModelError, match="neither of absent-one, absent-two; pip install absent-one"):
        Runtime.open(backbone)


def test_the_second_library_is_taken_when_the_first_is_absent(backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = Runtime.open(backbone).description.library
    monkeypatch.setattr(runtime, "LIBRARIES", ("absent-one", installed))
    assert Runtime.open(backbone).description.library == installed


def tensor(shape: tuple[int, ...], dtype: type, scale: float = 0.5, zero_point: int = 0) -> dict[str, Any]:
    return {"index": 0, "shape": np.array(shape), "dtype": dtype, "quantization": (scale, zero_point)}


def fake(taken: list[dict[str, Any]], given: list[dict[str, Any]], output: np.ndarray | None = None) -> Any:
    """An interpreter that says what its tensors are and gives `output`."""
    return SimpleNamespace(
        get_input_details=lambda: taken,
        get_output_details=lambda: given,
        set_tensor=lambda index, value: None,
        invoke=lambda: None,
        get_tensor=lambda index: output,
    )


INPUT, OUTPUT = tensor((1, SIDE, SIDE, 3), np.uint8), tensor((1, 2, 2, 5), np.int8)


def test_the_output_is_scaled_by_its_own_scale_and_zero_point() -> None:
    steps = np.array([-128, -1, 0, 1, 127], np.int8).reshape(1, 1, 1, 5)
    network = Runtime(fake([INPUT], [tensor((1, 1, 1, 5), np.int8, 0.25, -128)], steps), DESCRIPTION)
    np.testing.assert_array_equal(network.run(noise(SIDE))[0, 0], np.array([0, 31.75, 32, 32.25, 63.75], np.float32))


@pytest.mark.parametrize(
    ("taken", "given", "rule"),
    [
        ([INPUT, INPUT], [OUTPUT], "one input"),
        ([INPUT], [OUTPUT, OUTPUT], "one output"),
        ([tensor((1, 8, 8, 3), np.float32)], [OUTPUT], "input is uint8"),
        ([tensor((1, 8, 9, 3), np.uint8)], [OUTPUT], r"input is \(1, S, S, 3\)"),
        ([tensor((1, 8, 8, 1), np.uint8)], [OUTPUT], r"input is \(1, S, S, 3\)"),
        ([INPUT], [tensor((1, 2, 2, 5), np.float32)], "output is int8"),
        ([INPUT], [tensor((1, 2, 2, 5), np.int8, 0.0)], "output is int8 with one scale"),
        ([INPUT], [tensor((1, 1000), np.int8)], "output is a batch of one map"),
        ([tensor((2, 8, 8, 3), np.uint8)], [OUTPUT], "input is a batch of one map"),
    ],
)
def test_a_model_of_another_form_is_refused(taken: list[Any], given: list[Any], rule: str) -> None:
    with pytest.raises(ModelError, match=rule):
        Runtime(fake(taken, given), DESCRIPTION)
