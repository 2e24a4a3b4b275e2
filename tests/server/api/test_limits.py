"""What a device or an upload may cost, and that a refusal comes before the work."""

import io
import signal
from collections.abc import Callable
from typing import Any

import pytest

from skuscan_server.app import create_app
from skuscan_server.services import Services
from skuscan_server.workers import LimitedExecutor, WorkLimits

Headers = dict[str, str]
REPORT = "/api/v1/devices/me/report"


@pytest.fixture
def limited(services: Services) -> Any:
    """A client of a server that takes two requests of a device at once, and one a minute after that."""
    config = services.config.model_copy(update={"device_rate": 1 / 60, "device_burst": 2})
    return create_app(config).test_client()


@pytest.mark.guarantee("G21")
def test_a_device_that_asks_too_often_is_told_when_to_come_back(limited: Any, enrol: Callable[[], Any]) -> None:
    hasty, other = ({"Authorization": f"Bearer {enrol()['device_token']}"} for _ in range(2))
    body = {"state": "live", "generation": "1"}
    assert [limited.post(REPORT, headers=hasty, json=body).status_code for _ in range(3)] == [204, 204, 429]
    answer = limited.post(REPORT, headers=hasty, data=b"what is no report is not even read")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert answer.content_type == "application/problem+json"
    assert (answer.json["type"], answer.json["status"]) == ("urn:skuscan:problem:rate", 429)
    assert limited.post(REPORT, headers=other, json=body).status_code == 204


@pytest.mark.guarantee("G20")
def test_a_revoked_device_is_refused_however_seldom_it_asks(
    limited: Any, admin: Headers, enrol: Callable[[], Any]
) -> None:
    device = enrol()
    headers = {"Authorization": f"Bearer {device['device_token']}"}
    limited.delete(f"/api/v1/devices/{device['device_id']}", headers=admin)
    assert [limited.post(REPORT, headers=headers, json={}).status_code for _ in range(4)] == [401] * 4


@pytest.mark.guarantee("G21")
@pytest.mark.parametrize("says_length", [True, False])
def test_an_upload_that_is_too_long_is_refused_before_it_is_decoded(
    client: Any, admin: Headers, services: Services, monkeypatch: pytest.MonkeyPatch, says_length: bool
) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("skuscan_server.workers.LimitedExecutor.submit", decode)
    client.put("/api/v1/products/A", headers=admin, json={"name": "Apple"})
    data = io.BytesIO(b"\xff\xd8" * services.config.max_picture_bytes)
    length = {"Content-Length": str(len(data.getvalue()))} if says_length else {}
    answer = client.post(
        "/api/v1/references?sku=A",
        headers={**admin, **length},
        input_stream=data,
        environ_overrides={"wsgi.input_terminated": True},  # as gunicorn says of a chunked body
    )
    assert answer.status_code == 413
    assert data.tell() <= services.config.max_picture_bytes + 65_536
    assert not list(services.pictures.files())


@pytest.mark.guarantee("G21")
def test_a_picture_that_hangs_its_reader_is_refused_and_the_next_one_taken(
    client: Any,
    admin: Headers,
    services: Services,
    make_picture: Callable[[int], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.put("/api/v1/products/A", headers=admin, json={"name": "Apple"})
    parts = client.application.extensions["skuscan"]
    monkeypatch.setattr(parts, "decoders", LimitedExecutor(1, WorkLimits(seconds=1.0, memory=1_000_000_000)))
    with monkeypatch.context() as patch:
        patch.setattr("skuscan_server.api.references.refusal", signal.sigwait)  # bytes are numbers of signals to it
        answer = client.post("/api/v1/references?sku=A", headers=admin, data=bytes([signal.SIGUSR1]))
    assert (answer.status_code, answer.json["type"]) == (422, "urn:skuscan:problem:lostwork")
    assert not list(services.pictures.files())
    answer = client.post("/api/v1/references?sku=A", headers=admin, data=make_picture(1))
    assert answer.status_code == 201
