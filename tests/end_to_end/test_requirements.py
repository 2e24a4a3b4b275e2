"""requirements.txt pins what the packages need, completely, and nothing more."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

INSTALLED_PROJECTS = ("edge", "models", "server")
OURS = {"skuscan", "skuscan-models", "skuscan-server"}
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+?)(?:\s+# via (?P<via>.+))?$")


@pytest.fixture(scope="module")
def pins(project_root: Path) -> dict[str, re.Match[str]]:
    """The lines of requirements.txt by canonical name."""
    lines = (project_root / "requirements.txt").read_text().splitlines()
    matches = [PIN.match(line) for line in lines if line and not line.startswith("#")]
    assert all(matches)
    return {canonicalize_name(match["name"]): match for match in matches if match}


@pytest.fixture(scope="module")
def declared(project_root: Path) -> list[Requirement]:
    """What the pyproject files of the installed packages ask for, the extra `annoy` included."""
    found = []
    for project in INSTALLED_PROJECTS:
        table = tomllib.loads((project_root / project / "pyproject.toml").read_text())["project"]
        found += [*table["dependencies"], *table.get("optional-dependencies", {}).get("annoy", [])]
    return [requirement for requirement in map(Requirement, found) if canonicalize_name(requirement.name) not in OURS]


def closure(requirements: list[Requirement]) -> dict[str, list[Requirement]]:
    """Everything that `requirements` bring on this Python, by name: all that was asked of each."""
    asked: dict[str, list[Requirement]] = {}
    seen, waiting = set(), list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        asked.setdefault(name, []).append(requirement)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                children = map(Requirement, requires(name) or [])
                waiting += [c for c in children if c.marker is None or c.marker.evaluate({"extra": extra})]
    return asked


def test_every_package_that_is_needed_is_pinned_to_a_version_that_is_allowed(pins, declared):
    asked = closure(declared)
    assert asked.keys() - pins.keys() == set()
    refused = {
        name: str(requirement)
        for name, requirements in asked.items()
        for requirement in requirements
        if not requirement.specifier.contains(Version(pins[name]["version"]), prereleases=True)
    }
    assert refused == {}


def test_a_pin_that_another_package_brings_is_still_brought_by_it(pins):
    stale = {}
    for name, pin in pins.items():
        brought_by = [Requirement(parent).name for parent in (pin["via"] or "").split(", ") if parent]
        children = {canonicalize_name(Requirement(r).name) for parent in brought_by for r in requires(parent) or []}
        if brought_by and (name not in children or not {canonicalize_name(p) for p in brought_by} <= pins.keys()):
            stale[name] = brought_by
    assert stale == {}
