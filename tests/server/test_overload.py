"""A request that finds too many others waiting is told to come back, at once."""

import json
from typing import Any

import pytest
from werkzeug.test import Client

from skuscan_server.overload import WAITING, Overload


def ask(path: str, waiting: int) -> Any:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"served"]

    return Client(Overload(application, most=10)).get(path, environ_overrides={WAITING: waiting})


@pytest.mark.guarantee("G22")
def test_overload_is_a_problem_that_says_when_to_come_back() -> None:
    answer = ask("/blobs/x", waiting=11)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.content_type == "application/problem+json"
    assert json.loads(answer.data)["status"] == 503


@pytest.mark.guarantee("G22")
def test_a_short_queue_is_served_and_health_always_answers() -> None:
    assert ask("/blobs/x", waiting=10).status_code == 200
    assert ask("/healthz", waiting=1_000).status_code == 200
