"""An HTTP server on loopback that lies, stalls and cuts on request."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.fault_bench.http import Faults, Server
from tools.fault_bench.serving import serving_folders


@pytest.fixture
def faults() -> type[Faults]:
    return Faults


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    """Serves folders until the test is over."""
    with serving_folders() as start:
        yield start
