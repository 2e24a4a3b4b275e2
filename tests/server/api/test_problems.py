"""No input makes the server answer 500, and nothing of its inside leaks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from skuscan.errors import StoreError
from skuscan_server.app import OPENAPI_PATH, create_app
from skuscan_server.services import Services

Headers = dict[str, str]

BODIES = [
    b"",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b'{"name": NaN}',
    b'{"name": ' + b"9" * 10_000 + b"}",
    b'{"name": "\\ud800"}',
    b'{"name": "\\u0000"}',
    b'{"token": "\\ud800", "state": "live", "generation": -1}',
    b'{"state": "live", "generation": "18446744073709551615"}',
    b'{"name": "x", "attributes": {"\\ud800": "\\ud800"}}',
    b'{"name": "x", "attributes": {"n": 9223372036854775808}}',
    b'{"name": "x", "attributes": {"n": 1e999}}',
    b"\xff\xfe\x00",
    b'{"skus": ["\\ud800", "", "\\u0000"]}',
    b'{"name": true, "kind": {}, "rollout_percent": 1e400}',
]
TARGETS = [
    ("PUT", "/api/v1/products/A"),
    ("PATCH", "/api/v1/products/A"),
    ("POST", "/api/v1/references?sku=A"),
    ("POST", "/api/v1/assortments"),
    ("PATCH", "/api/v1/assortments/default"),
    ("PUT", "/api/v1/assortments/default/members"),
    ("POST", "/api/v1/assortments/default/publications"),
    ("POST", "/api/v1/enrol"),
]


@pytest.mark.guarantee("G21")
@pytest.mark.parametrize(("method", "path"), TARGETS)
def test_no_body_makes_a_500(client: Any, admin: Headers, method: str, path: str) -> None:
    client.put("/api/v1/products/A", headers=admin, json={"name": "Apple"})
    for body in BODIES:
        answer = client.open(path, method=method, headers={**admin, "Content-Type": "application/json"}, data=body)
        assert answer.status_code < 500, (body[:60], answer.json)


@pytest.mark.guarantee("G21")
def test_no_report_makes_a_500(client: Any, enrol: Callable[[], Any]) -> None:
    headers = {"Authorization": f"Bearer {enrol()['device_token']}"}
    for body in [*BODIES, b"x" * 20_000]:
        assert client.post("/api/v1/devices/me/report", headers=headers, data=body).status_code < 500, body[:60]


@pytest.mark.guarantee("G21")
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/products/%00",
        "/api/v1/products/%ff%fe",
        "/api/v1/products/" + "a" * 5_000,
        "/api/v1/products?after=%00&limit=1",
        "/api/v1/products?limit=" + "9" * 400,
        "/api/v1/references?sku=%00",
        "/api/v1/assortments/%00",
        "/api/v1/assortments/%00/publications",
        "/api/v1/devices?after=%00",
        "/api/v1/devices?after=%F0%9F%92%A9",
    ],
)
def test_no_path_makes_a_500(client: Any, admin: Headers, path: str) -> None:
    assert client.get(path, headers=admin).status_code < 500
    assert client.delete(path, headers=admin).status_code < 500


@pytest.mark.guarantee("G21")
def test_what_the_description_allows_and_what_it_does_not_never_makes_a_500(services: Services, admin: Headers) -> None:
    """Schemathesis (Hatfield-Dodds and Dygalo 2022) makes requests from the OpenAPI description."""
    app = create_app(services.config)
    schema = schemathesis.openapi.from_wsgi(OPENAPI_PATH, app)
    quick = settings(
        max_examples=6,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    for operation in schema.get_all_operations():
        strategy = operation.ok().as_strategy()

        @quick
        @given(strategy)
        def never_500(case: Any) -> None:
            answer = case.call(headers=admin)
            assert answer.status_code < 500, answer.text

        never_500()


def test_a_bug_says_an_incident_and_nothing_else(
    client: Any, admin: Headers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (RuntimeError("secret /srv/path"), StoreError("rule", "secret /srv/path")):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("skuscan_server.catalogue.products.find_product", fail)
        answer = client.get("/api/v1/products/A", headers=admin)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert answer.json["received"] in caplog.text


def test_a_database_that_is_away_is_503(client: Any, admin: Headers, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("SELECT secret", {}, Exception("database is locked"))

    monkeypatch.setattr("skuscan_server.catalogue.products.find_product", fail)
    answer = client.get("/api/v1/products/A", headers=admin)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "SELECT" not in answer.text


@pytest.mark.parametrize(("path", "method", "status"), [("/none", "GET", 404), ("/api/v1/products", "PUT", 405)])
def test_flask_s_own_errors_are_problems(client: Any, path: str, method: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert json.loads(answer.data)["status"] == status


def test_the_description_names_every_path(client: Any) -> None:
    description = client.get(OPENAPI_PATH).json
    described = {path.replace("{", "<").replace("}", ">") for path in description["paths"]}
    rules = {
        rule.rule.replace("path:", "")
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith("/api/v1") and rule.rule != OPENAPI_PATH
    }
    assert rules <= described
    assert description["openapi"].startswith("3.1")


def test_health_says_which_model_answers(client: Any, services: Services) -> None:
    for path in ("/healthz", "/readyz"):
        answer = client.get(path).json
        assert answer["model"] == services.model.artifact.name
        assert answer["feature_space"] == services.model.feature_space.hex()


def test_a_server_without_its_tables_is_not_ready(client: Any, services: Services) -> None:
    (services.config.data_folder / "skuscan.db").unlink()
    assert client.get("/readyz").status_code == 503


@given(st.binary(max_size=200))
@settings(max_examples=20)
def test_problems_are_json_whatever_was_received(data: bytes) -> None:
    from skuscan_server.api.problems import problem

    text = data.decode("latin-1")
    assert json.loads(problem(422, "test", text, text, text).data)["rule"] == text
