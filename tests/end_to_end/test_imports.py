"""What an import brings into a process; import-linter (`make lint`) holds the same rules without running anything."""

import pkgutil
import subprocess
import sys

import pytest

import skuscan

HEAVY = {"flask", "sqlalchemy", "alembic", "keras", "tensorflow", "torch", "pandas", "scipy", "sklearn"}
INTERPRETERS = {"ai_edge_litert", "tflite_runtime"}
OTHER_PACKAGES = {"skuscan_server", "skuscan_models", "skuscan_export"}


def imported_by(*modules: str) -> set[str]:
    """The top-level names in sys.modules of a new process that imports `modules`."""
    code = f"import sys, {', '.join(modules)}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_module_of_the_device_brings_a_server_or_training_library():
    found = [module.name for module in pkgutil.walk_packages(skuscan.__path__, "skuscan.")]
    modules = [name for name in found if not name.endswith("__main__")]
    assert "skuscan.recognizer" in modules
    assert imported_by(*modules).isdisjoint(HEAVY | OTHER_PACKAGES)


def test_the_command_line_starts_without_interpreter_opencv_or_network():
    assert imported_by("skuscan.cli").isdisjoint(HEAVY | INTERPRETERS | {"cv2", "numpy", "requests", "tuf"})


@pytest.mark.parametrize("package", ["skuscan_models.synthetic", "skuscan_models.artifacts"])
def test_what_the_server_takes_of_the_models_needs_no_training_library(package):
    assert imported_by(package).isdisjoint({"keras", "tensorflow", "torch", "sklearn", "scipy"})
