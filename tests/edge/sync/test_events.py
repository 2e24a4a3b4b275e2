"""Listening, against a server that tells what the test wants."""

import json
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.errors import NetworkError
from skuscan.sync.events import Listener, News, parse_news, parse_port
from tools.fault_bench.http import Told
from tools.fault_bench.waiting import wait_for

PATIENCE = 20.0  # s
EVENTS = "/api/v1/events$"


@pytest.fixture
def quick(with_limits):
    """Limits under which silence is noticed, and a listener comes back, at once."""
    return with_limits(silence_seconds=0.4, listen_backoff_seconds=0.01, listen_backoff_cap_seconds=0.05)


def test_what_is_told_is_heard(server, identity, quick):
    server.misbehave(EVENTS, Told(b": hello", b'data: {"generation": 7, "spread": 2.5}', then=b":\n\n"))
    with Listener(identity, quick) as listener:
        assert wait_for(listener.take) == News(7, 2.5)
        assert listener.take() is None
    request = next(request for request in server.requests if request.path == "/api/v1/events")
    assert request.headers["Authorization"] == f"Bearer {identity.device_token}"


def test_without_a_proxy_the_device_goes_to_the_port_that_it_is_told(server, identity, quick, serve, tmp_path):
    events = serve(tmp_path)
    server.overlay["/api/v1/events"] = json.dumps({"port": events.server_address[1]}).encode()
    events.misbehave(EVENTS, Told(b'data: {"generation": 7, "spread": 2.5}', then=b":\n\n"))
    with Listener(identity, quick) as listener:
        assert wait_for(listener.take) == News(7, 2.5)


@pytest.mark.guarantee("G14")
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Told(b": and now silence"), id="no heartbeat"),
        pytest.param(Told(then=b"x"), id="a line that never ends"),
        pytest.param(Told(b"data: " + b"9" * 2_000, then=b":\n\n"), id="too long a line"),
        pytest.param(Told(b'data: {"generation": "7"}', then=b":\n\n"), id="another event"),
        pytest.param(Told(then=b":" * 60_000 + b"\n"), id="a flood"),
    ],
)
def test_a_stream_that_is_none_is_left_and_opened_again(server, identity, quick, broken):
    server.misbehave(EVENTS, broken)
    with Listener(identity, quick) as listener:
        assert broken.connected_twice.wait(PATIENCE)
        assert listener.take() is None


def test_more_than_a_stream_may_hold_is_not_read(server, identity, with_limits):
    flood = Told(then=b":\n" * 1_000)
    server.misbehave(EVENTS, flood)
    with Listener(identity, with_limits(listen_backoff_seconds=0.01, event_stream_bytes=10_000)):
        assert flood.connected_twice.wait(PATIENCE)


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_a_refusal_is_followed_by_another_attempt(server, identity, quick, faults, status):
    server.misbehave(EVENTS, faults.status(status, {"Retry-After": "1000000"}), times=3)
    server.misbehave(EVENTS, Told(b'data: {"generation": 7, "spread": 2}', then=b":\n\n"))
    with Listener(identity, quick) as listener:
        assert wait_for(listener.take) == News(7, 2.0)


def test_pauses_between_failures_grow(server, identity, with_limits, faults, monkeypatch):
    ceilings = []
    monkeypatch.setattr("random.uniform", lambda low, high: (ceilings.append(high), 0.0)[1])
    server.misbehave(EVENTS, faults.status(404))
    with Listener(identity, with_limits(listen_backoff_seconds=1.0, listen_backoff_cap_seconds=10.0)):
        wait_for(lambda: len(ceilings) >= 6)
    assert ceilings[:6] == [2, 4, 8, 10, 10, 10]


def test_leaving_ends_a_silent_stream_at_once(server, identity, with_limits):
    server.misbehave(EVENTS, Told(b'data: {"generation": 7, "spread": 2}'))
    with Listener(identity, with_limits(silence_seconds=PATIENCE)) as listener:
        wait_for(listener.take)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "skuscan-events"]
    assert not thread.is_alive()


def test_only_loopback_is_listened_to_without_tls(identity, quick, caplog):
    with caplog.at_level("INFO"), Listener(replace(identity, server_url="http://192.0.2.1"), quick):
        wait_for(lambda: "a server is reached by https" in caplog.text)


@given(st.binary(max_size=200))
def test_whatever_is_told_is_news_or_refused(data):
    try:
        news = parse_news(data)
    except NetworkError:
        return
    assert news.generation > 0
    assert news.spread >= 0


@pytest.mark.parametrize(
    "data",
    [
        b'{"generation": 0, "spread": 2}',
        b'{"generation": true, "spread": 2}',
        b'{"generation": 9223372036854775808, "spread": 2}',
        b'{"generation": 7, "spread": -1}',
        b'{"generation": 7, "spread": NaN}',
        b'{"generation": 7, "spread": 1e999}',
        b'{"generation": 7, "spread": "2"}',
        b'{"generation": 7}',
        b"[7]",
        b"[" * 1_000,
    ],
)
def test_news_have_a_generation_and_a_spread(data):
    with pytest.raises(NetworkError, match="a generation and a spread"):
        parse_news(data)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"port": 0}', b'{"port": 65536}', b'{"port": "80"}', b'{"port": true}'])
def test_a_port_is_a_port(body):
    with pytest.raises(NetworkError, match="at which port"):
        parse_port(body)
