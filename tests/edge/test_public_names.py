"""What `import skuscan` gives, and what it costs."""

import json
import subprocess
import sys

import skuscan
from skuscan import errors

HEAVY = ("numpy", "cv2", "PIL", "google.protobuf", "ai_edge_litert", "tflite_runtime", "tuf", "requests")


def test_every_public_name_is_there() -> None:
    assert len(set(skuscan.__all__)) == len(skuscan.__all__)
    for name in skuscan.__all__:
        assert getattr(skuscan, name).__name__ == name


def test_every_error_is_public() -> None:
    assert set(errors.__all__) <= set(skuscan.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(skuscan, "Recogniser")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import json, sys, skuscan; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not set(HEAVY) & set(modules)
