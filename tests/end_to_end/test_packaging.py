"""What a device installs: one small pure wheel, with no compiler and without the server's libraries."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

LARGEST_WHEEL = 300_000  # bytes; code and the weights of descriptors.py: models travel with a catalogue
ABSENT_ON_A_DEVICE = ("annoy", "flask", "keras", "pandas", "scikit-learn", "scipy", "sqlalchemy", "tensorflow", "torch")
PROBE_TIMEOUT = 10  # s

EXACT_SEARCH = """
import numpy as np
from skuscan.index import ExactIndex, Query
rows = np.random.default_rng(1).integers(-127, 128, (50, 256), dtype=np.int8)
found, _ = ExactIndex(rows).nearest(Query.of(rows[7] / np.linalg.norm(rows[7].astype(np.float32))), 1)
print(found[0])
"""


def run(*command: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def edge_wheel(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of ./edge, built in a copy: setuptools leaves a folder behind that would leak into the next one."""
    folder = tmp_path_factory.mktemp("wheel")
    left_behind = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    source = shutil.copytree(project_root / "edge", folder / "edge", ignore=left_behind)
    built = run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def package_index(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where pip reaches no package index."""
    folder = tmp_path_factory.mktemp("probe")
    constraint = project_root / "requirements.txt"
    probe = run(
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--retries", "0"),
        *("--timeout", PROBE_TIMEOUT, "--constraint", constraint, "--dest", folder, "mdurl"),
    )
    if probe.returncode:
        pytest.skip("needs a package index that pip can reach")


def test_the_wheel_holds_the_package_and_nothing_else(edge_wheel: Path):
    names = zipfile.ZipFile(edge_wheel).namelist()
    code = [name for name in names if not name.startswith("skuscan-")]
    assert all(name.startswith("skuscan/") for name in code)
    assert {Path(name).suffix for name in code} == {".py", ".pyi", ".typed", ".npz"}  # the weights of descriptors.py
    assert not [name for name in code if "test" in name.lower()]
    assert "skuscan/py.typed" in code
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert edge_wheel.stat().st_size <= LARGEST_WHEEL


def test_the_wheel_is_for_every_machine(edge_wheel: Path):
    assert edge_wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_has_every_module_of_the_source(edge_wheel: Path, project_root: Path):
    source = project_root / "edge" / "src"
    modules = {str(path.relative_to(source)) for path in source.glob("skuscan/**/*.py")}
    assert modules == {name for name in zipfile.ZipFile(edge_wheel).namelist() if name.endswith(".py")}


@pytest.mark.usefixtures("package_index")
def test_a_device_without_a_compiler_installs_and_runs_it(edge_wheel: Path, project_root: Path, tmp_path: Path):
    venv = tmp_path / "venv"
    assert run(sys.executable, "-m", "venv", "--without-pip", venv).returncode == 0  # ours installs into it
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin" / "python")
    empty = tmp_path / "no-compiler-here"
    empty.mkdir()
    bare = os.environ | {"PATH": str(empty), "CC": "", "CXX": "", "PYTHONPATH": ""}

    constraint = project_root / "requirements.txt"
    installed = run(*pip, "install", "--no-compile", "--constraint", constraint, edge_wheel, env=bare)
    assert installed.returncode == 0, installed.stderr

    listed = run(*pip, "list", "--format=freeze", env=bare).stdout.lower()
    packages = {line.partition("==")[0] for line in listed.splitlines()}
    assert "skuscan" in packages
    assert packages.isdisjoint(ABSENT_ON_A_DEVICE)

    helped = run(venv / "bin" / "skuscan", "--help", env=bare)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "identify" in helped.stdout

    searched = run(venv / "bin" / "python", "-c", EXACT_SEARCH, env=bare)
    assert searched.stdout.strip() == "7", searched.stderr

    asked = run(venv / "bin" / "skuscan", "status", "--store", tmp_path / "none", env=bare)
    assert asked.returncode == 2, asked.stderr
    assert len(asked.stderr.splitlines()) == 1
