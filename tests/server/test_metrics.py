"""What monitoring reads."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from skuscan_server.api.context import EXTENSION
from skuscan_server.app import create_app
from skuscan_server.db.models import Device
from skuscan_server.metrics import MOST_LABELS, SHARED_FOLDER_VARIABLE, DatabaseCollector, serve_metrics
from skuscan_server.services import Services

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
COUNT_IN_A_PROCESS = "from skuscan_server.metrics import Metrics; m = Metrics(); m.count_request('/a', 200); "


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def of_database(services: Services) -> Callable[[], Samples]:
    def read() -> Samples:
        registry = CollectorRegistry()
        registry.register(DatabaseCollector(services.database))
        return samples(generate_latest(registry).decode())

    return read


@pytest.fixture
def add_device(services: Services) -> Callable[..., None]:
    def add(**fields: Any) -> None:
        number = os.urandom(16)
        device = {"name": "till", "assortment": "default", "enrolled_at": 1.0, **fields}
        with services.database.write() as session:
            session.add(Device(id=number.hex(), token_sha256=number * 2, **device))

    return add


def test_requests_are_counted_by_route_and_status(services: Services) -> None:
    app = create_app(services.config)
    client = app.test_client()
    for path in ("/readyz", "/blobs/sha256/aa/bb", "/blobs/sha256/aa/cc", "/invented/1", "/invented/2"):
        client.get(path)
    found = samples(generate_latest(app.extensions[EXTENSION].metrics.registry).decode())
    counted = {labels: value for (name, labels), value in found.items() if name == "skuscan_http_requests_total"}
    assert counted == {
        (("route", "/readyz"), ("status", "200")): 1,
        (("route", "/blobs/sha256/<prefix>/<digest>"), ("status", "404")): 2,
        (("route", "other"), ("status", "404")): 2,
    }


def test_nothing_is_exposed_where_devices_ask(client: Any) -> None:
    assert client.get("/metrics").status_code == 404


def test_what_several_processes_counted_comes_to_one_sum(services: Services, tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    folder.mkdir()
    environment = {**os.environ, SHARED_FOLDER_VARIABLE: str(folder)}
    for more in ("", "m.time_publication('delta', 3.0)"):
        subprocess.run([sys.executable, "-c", COUNT_IN_A_PROCESS + more], env=environment, check=True, timeout=60)
    server = serve_metrics(services.database, folder, "127.0.0.1", 0)
    try:
        answer = requests.get(f"http://127.0.0.1:{server.server_port}/metrics", timeout=10)
    finally:
        server.shutdown()
        server.server_close()
    found = samples(answer.text)
    assert found["skuscan_http_requests_total", (("route", "/a"), ("status", "200"))] == 2
    assert found["skuscan_publish_seconds_sum", (("kind", "delta"),)] == 3
    assert found["skuscan_features", ()] == 0


def test_devices_are_counted_by_generation_state_and_silence(
    of_database: Callable[[], Samples], add_device: Callable[..., None]
) -> None:
    now = time.time()
    add_device(generation=7, state="live", seen_at=now - 60)
    add_device(generation=7, state="live", seen_at=now - 7_200)
    add_device(
        generation=6, state="rejected", seen_at=now, reason="a state has its digest; received another; sync again"
    )
    add_device()
    add_device(generation=7, state="live", seen_at=now, revoked_at=now)
    found = of_database()
    labels = {"assortment": "default"}
    devices = {
        (dict(of)["generation"], dict(of)["state"]): value
        for (name, of), value in found.items()
        if name == "skuscan_devices"
    }
    assert devices == {("7", "live"): 2, ("6", "rejected"): 1, ("0", ""): 1}
    silent = {
        dict(of)["le"]: value for (name, of), value in found.items() if name == "skuscan_device_silence_seconds_bucket"
    }
    assert (silent["600.0"], silent["86400.0"], silent["+Inf"]) == (2, 3, 3)
    assert found["skuscan_device_silence_seconds_gcount", tuple(labels.items())] == 3
    assert found["skuscan_sync_failures", (("rule", "a state has its digest"),)] == 1


def test_devices_cannot_invent_labels_without_end(
    of_database: Callable[[], Samples], add_device: Callable[..., None]
) -> None:
    for number in range(MOST_LABELS + 5):
        add_device(generation=number, state="rejected", reason=f"rule {number}", seen_at=1.0)
    names = [name for name, _ in of_database()]
    assert names.count("skuscan_devices") == MOST_LABELS + 1
    assert names.count("skuscan_sync_failures") == MOST_LABELS + 1


def test_publications_are_timed(services: Services, import_rows: Callable[..., Any]) -> None:
    import_rows([{"sku": "SKU-1", "name": "One", "image": "1.jpg"}])
    assert services.publish("default") is not None
    found = samples(generate_latest(services.metrics.registry).decode())
    assert found["skuscan_publish_seconds_count", (("kind", "base"),)] == 1
