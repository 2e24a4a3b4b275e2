"""What holds of every exchange."""

import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from skuscan.errors import ConfigError, NetworkError
from skuscan.sync import SyncOptions
from skuscan.sync.repository_format import etag_of
from skuscan.sync.transport import Transport


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://example.org/x", "https:///x", "example.org", ""])
def test_only_https_goes_beyond_loopback(transport, url):
    with pytest.raises(ConfigError, match="reached by https"):
        transport.get(url, 10)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9", "[::1]"])
def test_loopback_needs_no_https(transport, host):
    with pytest.raises(NetworkError, match="the server answers"):  # nobody is there, but it was asked
        transport.get(f"http://{host}:9/x", 10)


def test_insecure_http_must_be_said(monkeypatch, options):
    """Another machine's address, with nothing behind it: the documentation network of RFC 5737."""
    asked = Transport(SyncOptions(insecure_http=True, limits=options.limits))
    monkeypatch.setattr(asked._pool, "request", lambda *a, **k: (_ for _ in ()).throw(OSError("unreachable")))
    with pytest.raises(NetworkError, match="unreachable"):
        asked.get("http://192.0.2.1/x", 10)


def test_an_https_server_with_an_unknown_certificate_is_refused(server, transport):
    """A plain server is no TLS server either: what matters is that nothing was read."""
    with pytest.raises(NetworkError, match="the server answers"):
        transport.get(server.url.replace("http:", "https:"), 10)


def test_the_proxy_is_asked_instead(server, options):
    """The test's server sees an absolute address, as proxies do."""
    server.overlay["http://localhost:9/x"] = b"by proxy"
    asked = Transport(SyncOptions(proxy=server.url, limits=options.limits))
    assert asked.get("http://localhost:9/x", 100) == b"by proxy"


def test_environment_variables_choose_no_proxy(server, transport, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.overlay["/x"] = b"direct"
    assert transport.get(f"{server.url}/x", 100) == b"direct"


def test_a_longer_answer_than_allowed_is_refused(server, transport):
    server.overlay["/x"] = b"12345"
    assert transport.get(f"{server.url}/x", 5) == b"12345"
    with pytest.raises(NetworkError, match="at most 4 bytes"):
        transport.get(f"{server.url}/x", 4)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(server, transport, faults, status):
    server.overlay["/x"] = b"there"
    server.misbehave("/x", faults.status(status), times=2)
    assert transport.get(f"{server.url}/x", 10) == b"there"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_what_will_not_pass_is_asked_once(server, transport, faults, status):
    server.misbehave("/x", faults.status(status))
    with pytest.raises(NetworkError, match=f"HTTP {status}"):
        transport.get(f"{server.url}/x", 10)
    assert len(server.requests) == 1


def test_attempts_are_counted(server, transport, faults):
    server.misbehave("/x", faults.status(503))
    with pytest.raises(NetworkError, match="HTTP 503"):
        transport.get(f"{server.url}/x", 10)
    assert len(server.requests) == transport.limits.attempts


def pauses_of(transport: Transport, monkeypatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(transport, "_pause", pauses.append)
    return pauses


def test_retry_after_in_seconds_is_obeyed(server, transport, faults, monkeypatch):
    pauses = pauses_of(transport, monkeypatch)
    server.overlay["/x"] = b"there"
    server.misbehave("/x", faults.status(503, {"Retry-After": "17"}), times=1)
    transport.get(f"{server.url}/x", 10)
    assert pauses == [17.0]


def test_retry_after_as_a_date_is_obeyed(server, transport, faults, monkeypatch):
    pauses = pauses_of(transport, monkeypatch)
    server.overlay["/x"] = b"there"
    then = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30), usegmt=True)
    server.misbehave("/x", faults.status(429, {"Retry-After": then}), times=1)
    transport.get(f"{server.url}/x", 10)
    assert 25 < pauses[0] <= 30


@pytest.mark.parametrize("value", ["soon", "-5", "", "Wed, 99 Foo 2026 99:99:99 GMT", "٣"])
def test_a_retry_after_that_cannot_be_read_is_none(server, transport, faults, monkeypatch, value):
    pauses = pauses_of(transport, monkeypatch)
    server.overlay["/x"] = b"there"
    server.misbehave("/x", faults.status(503, {"Retry-After": value.encode("utf-8").decode("latin-1")}), times=1)
    transport.get(f"{server.url}/x", 10)
    assert pauses[0] <= transport.limits.backoff_seconds


def test_a_server_that_asks_for_too_long_a_pause_is_left_for_the_next_sync(server, transport, faults):
    server.misbehave("/x", faults.status(503, {"Retry-After": "99999999999999999999"}))
    with pytest.raises(NetworkError, match="HTTP 503"):
        transport.get(f"{server.url}/x", 10)
    assert len(server.requests) == 1


def test_pauses_grow_and_are_jittered(server, options, faults, monkeypatch, with_limits):
    transport = Transport(with_limits(attempts=6, backoff_seconds=1.0, backoff_cap_seconds=5.0))
    pauses = pauses_of(transport, monkeypatch)
    monkeypatch.setattr("skuscan.sync.transport.random.uniform", lambda low, high: high)
    server.misbehave("/x", faults.status(503))
    with pytest.raises(NetworkError):
        transport.get(f"{server.url}/x", 10)
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_request_to_stop_ends_a_pause(server, options, faults):
    stop = threading.Event()
    transport = Transport(options, stop)
    server.misbehave("/x", lambda handler, data: (stop.set(), handler.answer(503, b"", {"Retry-After": "60"})))
    started = time.monotonic()
    with pytest.raises(NetworkError, match="a request to stop"):
        transport.get(f"{server.url}/x", 10)
    assert time.monotonic() - started < 5


def test_a_post_is_sent_once(server, transport):
    server.api = lambda path, body: (503, b"")
    with pytest.raises(NetworkError):
        transport.post(f"{server.url}/x", b"{}", {})
    assert len(server.requests) == 1


def test_a_post_is_never_redirected(server, transport):
    server.api = lambda path, body: (307, b"")
    with pytest.raises(NetworkError, match="HTTP 307"):
        transport.post(f"{server.url}/x", b"{}", {})


def test_a_connection_is_used_again(server, transport):
    server.overlay["/x"] = b"there"
    connections = set()
    server.misbehave("/x", lambda handler, data: None, times=0)
    original = server.process_request
    server.process_request = lambda request, address: (connections.add(address), original(request, address))
    for _ in range(3):
        transport.get(f"{server.url}/x", 10)
    assert len(connections) == 1


def test_no_compressed_answer_is_asked_for(server, transport):
    server.overlay["/x"] = b"there"
    transport.get(f"{server.url}/x", 10)
    assert server.requests[0].headers["Accept-Encoding"] == "identity"
    assert server.requests[0].headers["User-Agent"].startswith("skuscan/")


def test_what_is_the_same_still_is_not_sent_again(server, transport, faults):
    known = b"there"
    server.overlay["/x"] = b"other"
    assert transport.get_unless_same(f"{server.url}/x", 10, known) == b"other"  # a server that knows no digests
    server.misbehave("/x", faults.status(304))
    assert transport.get_unless_same(f"{server.url}/x", 10, known) == known
    assert server.requests[-1].headers["If-None-Match"] == f'"{etag_of(known)}"'
