"""Says in one line what the machine lacks for building the environment, and the package that brings it.

    python3 tools/check_machine.py    # exits 1 and prints the line to stderr when something is missing

It runs before anything is installed, so it uses the standard library only.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

OLDEST_PYTHON = (3, 11)
MACHINES = ("x86_64", "aarch64")


def missing() -> list[tuple[str, str]]:
    """What is missing: pairs of its name and the Debian package that brings it."""
    # Debian names the packages of its default Python python3-..., those of another one python3.13-...
    version = "python3" if _is_the_systems_default() else f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = []
    compiler = shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "g++")[0]
    if not shutil.which(compiler):
        found.append((f"a C++ compiler ({compiler})", "g++"))
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        found.append(("the Python headers (Python.h)", f"{version}-dev"))
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        found.append(("Python's venv", f"{version}-venv"))
    return found


def main() -> int:
    if sys.version_info < OLDEST_PYTHON:
        return _complain("Python {}.{} or newer is needed, this is {}".format(*OLDEST_PYTHON, sys.version.split()[0]))
    if platform.machine() not in MACHINES or sys.maxsize < 2**32:
        return _complain(f"a 64-bit Python on {' or '.join(MACHINES)} is needed, this is {platform.machine()}")
    lacking = missing()
    if lacking:
        what = " and ".join(name for name, _ in lacking)
        packages = " ".join(package for _, package in lacking)
        return _complain(f"{what} missing: sudo apt install {packages}")
    return 0


def _is_the_systems_default() -> bool:
    return Path("/usr/bin/python3").resolve() == Path(sys.executable).resolve()


def _complain(line: str) -> int:
    sys.stderr.write(f"make env: {line}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
