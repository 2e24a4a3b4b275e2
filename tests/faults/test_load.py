"""A thousand devices ask at once for a new version, and a server that has too much to do says so."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.big_catalogue import BigCatalogue
from benchmarks.sync import running_server

DEVICES = 1_000
SECONDS = 60.0  # s, that a new version takes to reach all of them
HEALTH_SECONDS = 10.0  # s, that /healthz takes at most
PRODUCTS = 2_000
PATIENCE = 300.0  # s
TUF, BLOBS = "tuf/default", "blobs/sha256"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[BigCatalogue, dict[str, str]]:
    """A server with a base and 1% of change, and what a device that has the base asks for: path -> SHA-256."""
    catalogue = BigCatalogue(tmp_path_factory.mktemp("load") / "data")
    folder = catalogue.services.config.published
    catalogue.put(range(PRODUCTS))
    catalogue.publish()
    before = set(_files(folder))
    catalogue.put(range(0, PRODUCTS, 100), look=1)
    catalogue.publish()
    new = [path for path in _files(folder) if path not in before]
    timestamp = folder / TUF / "metadata" / "timestamp.json"
    files = [timestamp, *sorted(new, key=lambda path: "blobs" in path.parts)]  # trust comes first
    wanted = {f"/{path.relative_to(folder)}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return catalogue, {f"/{TUF}/metadata/2.root.json": "", **wanted}


def _files(folder: Path) -> Iterator[Path]:
    """The files that devices ask for."""
    for place in (folder / TUF / "metadata", folder / TUF / "targets", folder / BLOBS):
        yield from (path for path in place.rglob("*") if path.is_file())


@pytest.fixture
def fleet(published: tuple[BigCatalogue, dict[str, str]], project_root: Path) -> Callable[..., Any]:
    """Let so many devices ask at once."""

    def ask(devices: int, **environment: str) -> dict[str, Any]:
        catalogue, paths = published
        with running_server(catalogue.services, **environment) as port:
            command = [sys.executable, "-m", "tools.fault_bench.fleet", f"http://127.0.0.1:{port}", str(devices)]
            child = subprocess.run(
                command, input=json.dumps(paths).encode(), capture_output=True, cwd=project_root, timeout=PATIENCE
            )
        assert child.returncode == 0, child.stderr.decode()
        seen: dict[str, Any] = json.loads(child.stdout)
        return seen

    return ask


@pytest.mark.guarantee("G22")
def test_a_thousand_devices_have_a_new_version_within_a_minute(fleet, faults) -> None:
    devices = faults.count(DEVICES)
    seen = fleet(devices)
    faults.record("G22", "devices at once", devices=devices, **_figures(seen))
    assert (seen["finished"], seen["lost"], seen["endless"], seen["wrong"]) == (devices, 0, 0, [])
    assert seen["impolite"] == 0
    assert seen["seconds"] <= SECONDS
    assert seen["health"] > 0
    assert seen["slowest_health"] <= HEALTH_SECONDS


@pytest.mark.guarantee("G22")
def test_overload_is_answered_503_and_nobody_is_lost(fleet, faults) -> None:
    """A server that lets only a few wait: most are sent away at first, and all have the version in the end."""
    devices = max(100, faults.count(DEVICES // 2))
    seen = fleet(devices, WEB_WAITING="4")
    faults.record("G22", "devices at once, a short queue", devices=devices, **_figures(seen))
    assert seen["busy"] > 0
    assert (seen["finished"], seen["lost"], seen["endless"], seen["wrong"]) == (devices, 0, 0, [])
    assert seen["impolite"] == 0
    assert seen["slowest_health"] <= HEALTH_SECONDS


def _figures(seen: dict[str, Any]) -> dict[str, Any]:
    return {
        "bad": seen["lost"] + seen["endless"] + len(seen["wrong"]),
        **{name: seen[name] for name in ("requests", "busy")},
        **{name: round(seen[name], 2) for name in ("seconds", "slowest", "slowest_health")},
    }
