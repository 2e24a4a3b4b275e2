"""What happens below an exchange: connections that end when they should."""

import gc
import sys

import pytest

from skuscan.errors import NetworkError
from skuscan.sync.transport import Transport

HEADS = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\nConnection: close\r\n\r\nlonger",
    "no status": b"HTTP/1.1 many\r\n\r\n",
    "no head": b"",
    "too long a field": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
}


@pytest.fixture
def collected(monkeypatch):
    """Collect garbage, and say what it complains of."""
    complaints: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda complaint: complaints.append(str(complaint.exc_value)))

    def collect() -> list[str]:
        gc.collect()
        return complaints

    return collect


def leave_to_the_collector(error: Exception) -> None:
    """An error in a circle, as pools of threads keep them."""
    error.circle = error  # type: ignore[attr-defined]


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_an_answer_with_a_bad_head_leaves_no_socket_open(server, transport, collected, head):
    server.misbehave("/x", lambda handler, data: handler.wfile.write(head))
    with pytest.raises(NetworkError) as caught:
        transport.get(f"{server.url}/x", 10)
    leave_to_the_collector(caught.value)
    del caught
    assert collected() == []


def test_a_head_that_comes_too_late_leaves_no_socket_open(server, with_limits, faults, collected):
    server.misbehave("/x", faults.trickle_head)
    with pytest.raises(NetworkError) as caught:
        Transport(with_limits(attempts=1, header_seconds=0.1)).get(f"{server.url}/x", 10)
    leave_to_the_collector(caught.value)
    del caught
    assert collected() == []
