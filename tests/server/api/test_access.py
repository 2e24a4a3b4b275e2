"""Who may do what."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from skuscan.sync.token import EnrolToken
from skuscan_server.access.operators import Role
from skuscan_server.db.models import ApiKey, Device, EnrolmentToken
from skuscan_server.services import Services

Headers = dict[str, str]

READS = [("GET", "/api/v1/products"), ("GET", "/api/v1/references?sku=A"), ("GET", "/api/v1/devices")]
EDITS = [
    ("PUT", "/api/v1/products/A"),
    ("PATCH", "/api/v1/products/A"),
    ("DELETE", "/api/v1/products/A"),
    ("POST", "/api/v1/references?sku=A"),
    ("PUT", "/api/v1/assortments/default/members"),
    ("POST", "/api/v1/assortments/default/publications"),
]
ADMINS = [
    ("POST", "/api/v1/assortments"),
    ("POST", "/api/v1/assortments/default/enrolment-tokens"),
    ("DELETE", "/api/v1/devices/" + "0" * 32),
]
REFUSED = {401, 403}


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "path"), READS + EDITS + ADMINS)
def test_nothing_is_open_without_a_key(client: Any, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Basic eA=="}, bearer("sko1.guess"), bearer("skd1.guess"), bearer("é")):
        assert client.open(path, method=method, headers=headers).status_code in REFUSED


@pytest.mark.parametrize(("method", "path"), EDITS + ADMINS)
def test_a_reader_only_looks(client: Any, key_of: Callable[[Role], Headers], method: str, path: str) -> None:
    answer = client.open(path, method=method, headers=key_of(Role.READER), json={})
    assert (answer.status_code, answer.json["type"]) == (403, "urn:skuscan:problem:forbidden")


@pytest.mark.parametrize(("method", "path"), ADMINS)
def test_an_editor_enrols_nobody(client: Any, key_of: Callable[[Role], Headers], method: str, path: str) -> None:
    assert client.open(path, method=method, headers=key_of(Role.EDITOR), json={}).status_code == 403


@pytest.mark.parametrize(("method", "path"), READS)
def test_a_reader_may_look(client: Any, key_of: Callable[[Role], Headers], method: str, path: str) -> None:
    assert client.open(path, method=method, headers=key_of(Role.READER)).status_code not in REFUSED


@pytest.mark.guarantee("G20")
@pytest.mark.parametrize(("method", "path"), READS + EDITS + ADMINS)
def test_a_device_may_do_nothing_of_an_operator_s(
    client: Any, enrol: Callable[[], Any], method: str, path: str
) -> None:
    assert client.open(path, method=method, headers=bearer(enrol()["device_token"])).status_code == 403


@pytest.mark.guarantee("G20")
def test_an_operator_reports_for_no_device(client: Any, admin: Headers) -> None:
    assert client.post("/api/v1/devices/me/report", headers=admin, json={"state": "live"}).status_code == 403


@pytest.mark.guarantee("G20")
def test_an_enrolment_token_works_once(client: Any, admin: Headers) -> None:
    token = client.post("/api/v1/assortments/default/enrolment-tokens", headers=admin).json["token"]
    assert client.post("/api/v1/enrol", json={"token": token}).status_code == 201
    assert client.post("/api/v1/enrol", json={"token": token}).status_code == 401


@pytest.mark.guarantee("G20")
def test_an_enrolment_token_expires(client: Any, admin: Headers, services: Services) -> None:
    token = client.post("/api/v1/assortments/default/enrolment-tokens", headers=admin).json["token"]
    with services.database.write() as session:
        session.execute(update(EnrolmentToken).values(expires_at=1.0))
    assert client.post("/api/v1/enrol", json={"token": token}).status_code == 401


@pytest.mark.guarantee("G20")
def test_an_enrolment_token_is_for_its_own_assortment(client: Any, admin: Headers, services: Services) -> None:
    client.post("/api/v1/assortments", headers=admin, json={"name": "store-17"})
    token = EnrolToken.parse(client.post("/api/v1/assortments/default/enrolment-tokens", headers=admin).json["token"])
    forged = EnrolToken("store-17", token.secret, token.root_sha256)
    assert client.post("/api/v1/enrol", json={"token": str(forged)}).status_code == 401
    assert client.post("/api/v1/enrol", json={"token": str(token)}).status_code == 201


def test_the_token_pins_the_assortment_s_root(client: Any, admin: Headers, services: Services) -> None:
    token = EnrolToken.parse(client.post("/api/v1/assortments/default/enrolment-tokens", headers=admin).json["token"])
    assert token.root_sha256.hex() == services.repository("default").root_sha256()


@pytest.mark.guarantee("G20")
def test_a_revoked_device_is_refused_at_its_next_request(client: Any, admin: Headers, enrol: Callable[[], Any]) -> None:
    device = enrol()
    report = {"headers": bearer(device["device_token"]), "json": {"state": "live", "generation": "5"}}
    assert client.post("/api/v1/devices/me/report", **report).status_code == 204
    assert client.delete(f"/api/v1/devices/{device['device_id']}", headers=admin).status_code == 204
    assert client.post("/api/v1/devices/me/report", **report).status_code == 401


@pytest.mark.guarantee("G20")
def test_a_device_reports_for_itself_alone(client: Any, admin: Headers, enrol: Callable[[], Any]) -> None:
    first, second = enrol(), enrol()
    report = {"state": "degraded", "generation": "7", "reason": "disk\nfull", "runtime": "x" * 999}
    assert (
        client.post("/api/v1/devices/me/report", headers=bearer(first["device_token"]), json=report).status_code == 204
    )
    devices = {d["id"]: d for d in client.get("/api/v1/devices", headers=admin).json["devices"]}
    assert (devices[first["device_id"]]["generation"], devices[first["device_id"]]["reason"]) == (7, "disk full")
    assert len(devices[first["device_id"]]["runtime"]) == 200
    assert devices[second["device_id"]]["state"] == ""


def test_no_secret_is_kept(client: Any, admin: Headers, enrol: Callable[[], Any], services: Services) -> None:
    secrets = [admin["Authorization"].split()[1], enrol()["device_token"]]
    data = b"".join(path.read_bytes() for path in services.config.data_folder.glob("skuscan.db*"))
    assert all(secret.encode() not in data for secret in secrets)
    with services.database.read() as session:
        assert all(len(row) == 32 for row in session.scalars(select(ApiKey.key_sha256)))
        assert all(len(row) == 32 for row in session.scalars(select(Device.token_sha256)))
