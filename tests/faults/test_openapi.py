"""Requests made from the server's own description, right and wrong ones: no 500, no answer that is not described, and
nothing of the inside in any of them.

Schemathesis makes them (Hatfield-Dodds and Dygalo 2022, "Deriving semantics-aware fuzzers from web API schemas").
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.big_catalogue import BigCatalogue, sku_of
from skuscan_server.access.devices import create_enrolment_token, enrol
from skuscan_server.access.operators import Role, create_api_key
from skuscan_server.app import OPENAPI_PATH, create_app
from skuscan_server.catalogue.assortments import DEFAULT

EXAMPLES = 60  # of each operation, each kind of request, with keys that are there and with any
INSIDE = ("Traceback", "site-packages", "sqlalchemy", "sqlite", "skuscan_server", ".py", "/tmp", "0x7f")
PROBLEM = {"type", "title", "status", "detail", "rule", "received", "advice"}
KNOWN = {"sku": sku_of(0), "name": DEFAULT}  # parts of paths that lead somewhere
DEVICES_OWN = "/api/v1/devices/me/report"
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, str], dict[str, str]]:
    """An application with products, a publication and a device; an operator's and the device's headers."""
    catalogue = BigCatalogue(tmp_path_factory.mktemp("api") / "data", device_burst=1_000_000)
    catalogue.put(range(5))
    catalogue.publish()
    services = catalogue.services
    with services.database.write() as session:
        key = create_api_key(session, "bench", Role.ADMIN)
        token = create_enrolment_token(session, DEFAULT, services.repository(DEFAULT).root_sha256(), 1.0)
        device = enrol(session, str(token), "till").token
    return create_app(services.config), {"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {device}"}


def _check(case: Any, answer: Any, folder: str) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == ["application/problem+json"], answer.headers
        problem = json.loads(answer.text)
        assert set(problem) >= PROBLEM
        assert problem["status"] == answer.status_code
        said = " ".join(str(problem[name]) for name in ("title", "rule", "advice"))
        assert not [word for word in (*INSIDE, folder) if word in said], said
        assert folder not in answer.text
        assert "Traceback" not in answer.text
    case.validate_response(answer, checks=CHECKS)


def _ask(cases: SearchStrategy[Any], headers: dict[str, str], count: int, folder: str) -> int:
    """Ask so many requests, and check every answer: how many there were."""
    asked = 0

    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        _check(case, case.call(headers=headers), folder)

    with suppress(Unsatisfiable):  # there is no wrong way to ask for a list that takes no arguments
        ask()
    return asked


@pytest.mark.guarantee("G21")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_no_request_makes_a_500_and_every_answer_is_described(server, faults, mode, tmp_path: Path) -> None:
    app, operator, device = server
    asked = 0
    for operation in schemathesis.openapi.from_wsgi(OPENAPI_PATH, app).get_all_operations():
        found = operation.ok()
        headers = device if found.path == DEVICES_OWN else operator
        names = {parameter.name for parameter in found.path_parameters}
        known = {name: value for name, value in KNOWN.items() if name in names}
        for fixed in [None, known] if known and names <= set(known) else [None]:
            cases = found.as_strategy(mode, path_parameters=fixed)
            asked += _ask(cases, headers, faults.count(EXAMPLES), str(tmp_path.parent))
    faults.record("G21", f"{mode.value} requests", requests=asked, bad=0)
    assert asked


@pytest.mark.guarantee("G20")
def test_without_a_key_every_operation_is_refused_before_its_body_is_read(server, faults) -> None:
    app, operator, device = server
    open_to_all = {"/healthz", "/readyz", "/api/v1/enrol", "/api/v1/events"}
    wrong = {"nobody": {}, "a device": device, "an operator": operator, "a stranger": {"Authorization": "Bearer x"}}
    refused = 0
    for operation in schemathesis.openapi.from_wsgi(OPENAPI_PATH, app).get_all_operations():
        found = operation.ok()
        if found.path in open_to_all:
            continue
        allowed = "a device" if found.path == DEVICES_OWN else "an operator"
        path = found.path
        for parameter in found.path_parameters:
            path = path.replace(f"{{{parameter.name}}}", KNOWN.get(parameter.name, "0" * 32))
        for who, headers in wrong.items():
            if who != allowed:
                answer = app.test_client().open(path, method=found.method.upper(), headers=headers, data=b"\xff" * 99)
                assert answer.status_code in (401, 403), (who, found.method, path, answer.status_code)
                refused += 1
    faults.record("G20", "requests without the right key", requests=refused, bad=0)
    assert refused
