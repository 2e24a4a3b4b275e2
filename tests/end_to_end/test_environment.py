"""`make env` on a machine that lacks something says so in one line, with the package to install."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELL_TOOLS = ("bash", "dirname", "grep", "uname")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder to be the whole PATH: what every machine has, and no compiler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in SHELL_TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def make_environment(project_root: Path, path: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHON", "CXX")} | {"PATH": str(path)}
    script = project_root / "tools" / "environment.sh"
    command = [script, venv, "requirements.txt", "./edge"]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_a_missing_compiler_is_said_in_one_line_with_its_package(project_root, bare_path, tmp_path):
    (bare_path / "python3").symlink_to(Path(sys.executable).resolve())
    made = make_environment(project_root, bare_path, tmp_path / "venv")
    assert made.returncode == 1
    (line,) = made.stderr.splitlines()
    assert "a C++ compiler" in line
    assert "apt install g++" in line
    assert not (tmp_path / "venv").exists()


def test_a_missing_python_is_said_in_one_line_with_its_packages(project_root, bare_path, tmp_path):
    made = make_environment(project_root, bare_path, tmp_path / "venv")
    assert made.returncode == 1
    (line,) = made.stderr.splitlines()
    assert "Python 3.11" in line
    assert "apt install python3 python3-dev python3-venv" in line


def test_missing_headers_and_venv_are_named_together(project_root, tmp_path):
    # A Python whose headers and ensurepip are not found, as on a Debian without python3-dev and python3-venv.
    code = (
        "import importlib.util, runpy, sysconfig\n"
        "sysconfig.get_path = lambda name: '/nowhere'\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'ensurepip' else found(name)\n"
        f"runpy.run_path({str(project_root / 'tools' / 'check_machine.py')!r}, run_name='__main__')"
    )
    checked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    (line,) = checked.stderr.splitlines()
    assert "-dev" in line
    assert "-venv" in line
