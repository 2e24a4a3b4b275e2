"""A cap on bandwidth."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.errors import ConfigError, NetworkError
from skuscan.sync import SyncOptions
from skuscan.sync.throttle import BURST_SECONDS, Throttle
from skuscan.sync.transport import Transport


@given(st.integers(1_000, 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
def test_pieces_that_wait_as_told_keep_to_the_rate(rate, pieces):
    now = [0.0]
    throttle = Throttle(rate, lambda: now[0])
    for piece in pieces:
        now[0] += throttle.draw(piece)
    assert sum(pieces) <= rate * (now[0] + BURST_SECONDS) * 1.000001


@given(st.lists(st.integers(1, 100_000), min_size=2, max_size=20))
def test_connections_at_once_pay_for_each_other(pieces):
    throttle = Throttle(1_000, lambda: 0.0)
    waits = [throttle.draw(piece) for piece in pieces]
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(max(0.0, sum(pieces) / 1_000 - BURST_SECONDS))


def test_an_idle_line_saves_up_no_more_than_a_burst():
    now = [0.0]
    throttle = Throttle(1_000, lambda: now[0])
    now[0] = 3_600.0
    assert throttle.draw(1_000) == pytest.approx(1 - BURST_SECONDS)


def test_a_download_takes_as_long_as_its_bandwidth_says(server, monkeypatch):
    server.overlay["/file"] = bytes(100_000)
    transport = Transport(SyncOptions(bandwidth=20_000))
    monkeypatch.setattr(transport, "_throttle", Throttle(20_000, lambda: 0.0))  # only pauses pass time
    waited = []
    monkeypatch.setattr(transport, "_pause", waited.append)
    transport.get_once(f"{server.url}/file", 100_000)
    assert waited[-1] == pytest.approx(100_000 / 20_000 - BURST_SECONDS)


def test_a_request_to_stop_ends_a_throttled_transfer(server):
    server.overlay["/file"] = bytes(100_000)
    stop = threading.Event()
    transport = Transport(SyncOptions(bandwidth=2_000), stop)
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(NetworkError, match="a request to stop"):
        transport.get_once(f"{server.url}/file", 100_000)


def test_a_bandwidth_that_would_count_as_a_stuck_line_is_refused():
    with pytest.raises(ConfigError, match="at least 1600 bytes/s"):
        SyncOptions(bandwidth=1_000)
