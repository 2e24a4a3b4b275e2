"""The main flow with real processes: init, import, run, enrol, publish, download, stop."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tools.fault_bench.waiting import wait_for
from tools.ports import free_port

PATIENCE = 60.0  # s
POLL = 0.1  # s


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Any]:
    """Run a command line, and give its JSON back."""

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "skuscan_server.cli", "--data", str(tmp_path / "data"), *arguments, "--json"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        return json.loads(done.stdout)

    return run


@pytest.fixture
def metrics_bind() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def server(
    tmp_path: Path, metrics_bind: str, command: Callable[..., Any]
) -> Iterator[tuple[str, "subprocess.Popen[bytes]", str]]:
    """A running server: its URL, its process, and an operator's key."""
    key = command("init")["api_key"]
    port = free_port()
    arguments = ["-m", "skuscan_server.cli", "--data", str(tmp_path / "data"), "run", "--bind", f"127.0.0.1:{port}"]
    environment = {
        **os.environ,
        "SKUSCAN_SERVER_WEB_WORKERS": "2",
        "SKUSCAN_SERVER_WORKERS": "1",
        "SKUSCAN_SERVER_METRICS_BIND": metrics_bind,
        "SKUSCAN_SERVER_EVENTS_BIND": f"127.0.0.1:{free_port()}",
    }
    process = subprocess.Popen([sys.executable, *arguments], env=environment)
    try:
        wait_until_it_listens(process, port)
        yield f"http://127.0.0.1:{port}", process, key
    finally:
        process.terminate()
        process.wait(PATIENCE)


def none_is_left(pids: set[int]) -> bool:
    """A worker that is told to end as it boots is killed last, and is there a moment longer than its master."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"the server ended with {process.wait(POLL)}")
    pytest.fail(f"the server does not listen after {PATIENCE:g} s")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def descendants(pid: int) -> set[int]:
    """Every process below one, from /proc."""
    children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return children.union(*(descendants(child) for child in children)) if children else set()


def test_a_catalogue_reaches_a_device_and_everything_stops(
    server: tuple[str, Any, str],
    command: Callable[..., Any],
    session: requests.Session,
    write_catalogue: Callable[..., Path],
    five_products: list[dict[str, Any]],
    metrics_bind: str,
) -> None:
    url, process, key = server
    assert session.get(f"{url}/readyz", timeout=PATIENCE).json()["status"] == "ok"
    assert command("catalogue", "import", str(write_catalogue(five_products)))["created"] == 5
    command("publish")  # waits for the scheduler, if that was first
    operator = {"headers": {"Authorization": f"Bearer {key}"}, "timeout": PATIENCE}
    assortment = session.get(f"{url}/api/v1/assortments/default", **operator).json()
    assert assortment["generation"] > 0
    token = session.post(f"{url}/api/v1/assortments/default/enrolment-tokens", **operator).json()["token"]
    device = session.post(f"{url}/api/v1/enrol", json={"token": token, "name": "till"}, timeout=PATIENCE).json()
    timestamp = session.get(f"{url}{device['metadata_url']}/timestamp.json", timeout=PATIENCE)
    assert timestamp.json()["signed"]["_type"] == "timestamp"
    report = {"generation": str(assortment["generation"]), "state": "live"}
    headers = {"Authorization": f"Bearer {device['device_token']}"}
    assert session.post(f"{url}/api/v1/devices/me/report", json=report, headers=headers, timeout=PATIENCE).ok
    (known,) = session.get(f"{url}/api/v1/devices", **operator).json()["devices"]
    assert known["generation"] == assortment["generation"]

    for _ in range(20):  # a new connection each, so that both workers answer
        requests.get(f"{url}/healthz", timeout=PATIENCE)
    port = session.get(f"{url}/api/v1/events", timeout=PATIENCE).json()["port"]
    events_url = f"http://127.0.0.1:{port}/api/v1/events"
    with session.get(events_url, headers=headers, stream=True, timeout=PATIENCE) as events:
        lines = events.iter_lines()  # kept: the connection ends with it
        assert json.loads(next(lines).removeprefix(b"data: ")) == {
            "generation": assortment["generation"],
            "spread": 2.0,
        }
        metrics = session.get(f"http://{metrics_bind}/metrics", timeout=PATIENCE).text
    assert "skuscan_event_listeners 1.0" in metrics
    assert 'skuscan_http_requests_total{route="/healthz",status="200"} 20.0' in metrics
    assert f'skuscan_devices{{assortment="default",generation="{known["generation"]}",state="live"}} 1.0' in metrics

    started = descendants(process.pid)
    assert len(started) >= 6  # gunicorn, its workers, the scheduler, events, metrics
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    wait_for(lambda: none_is_left(started))


def test_the_end_of_one_part_ends_the_others(server: tuple[str, Any, str], session: requests.Session) -> None:
    url, process, _ = server
    session.get(f"{url}/healthz", timeout=PATIENCE)
    started = descendants(process.pid)
    (scheduler,) = [pid for pid in started if b"scheduler" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(scheduler, signal.SIGKILL)
    assert process.wait(PATIENCE) == 1
    wait_for(lambda: none_is_left(started))
