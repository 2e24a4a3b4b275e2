"""A device that stays and watches, against a real repository, a real server and a real store."""

import logging
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from skuscan.store import Store
from skuscan.sync import SyncLimits, sync_once, watch
from skuscan.sync.events import News
from skuscan.sync.service import ServiceManager
from skuscan.sync.watch import wait_for as seconds_until
from tools.fault_bench.http import Told
from tools.fault_bench.waiting import wait_for

EVENTS = "/api/v1/events$"
NEVER = 10_000.0  # s: no poll within a test
HEARTBEAT = b":\n\n"


@pytest.fixture
def synced(site, server, store, options, pass_probes) -> Store:
    """A device that has the first generation."""
    site.publish_base("a", "b", "c")
    assert sync_once(store, options, pass_probes).state == "activated"
    server.requests.clear()
    return store


@pytest.fixture
def listening(with_limits):
    """A device that polls never, and comes at once when it hears of something."""
    return replace(with_limits(spread_floor_seconds=0.0, silence_seconds=5.0), poll_seconds=NEVER)


def event(generation: int) -> bytes:
    return b'data: {"generation": %d, "spread": 0}' % generation


def watching(store: Store, options, probe, until, stop: threading.Event) -> None:
    """Run `watch` in a thread until a condition, which the probe or the server sets, holds."""
    thread = threading.Thread(target=watch, args=(store, options, stop, probe), daemon=True)
    thread.start()
    try:
        assert until.wait(20)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_watching_takes_each_new_generation(synced, site, options):
    seen, stop = threading.Event(), threading.Event()

    def probe(generation) -> None:
        if generation.number == 2:
            site.publish_delta("newer")
        if generation.number == 3:
            seen.set()

    site.publish_delta("new")
    watching(synced, options, probe, seen, stop)
    assert synced.current() == 3


def test_watching_survives_a_server_that_is_down_and_comes_back(synced, site, server, options, caplog):
    seen, stop = threading.Event(), threading.Event()
    site.publish_delta("new")
    server.misbehave("timestamp", lambda handler, data: None, times=8)
    with caplog.at_level(logging.WARNING):
        watching(synced, options, lambda generation: seen.set(), seen, stop)
    assert "a transfer runs to its end" in caplog.text or "the server answers" in caplog.text


def test_watching_survives_bad_signatures(synced, site, server, options, faults, caplog):
    seen, stop = threading.Event(), threading.Event()
    site.publish_delta("new")
    server.misbehave("timestamp", lambda handler, data: handler.answer(200, b"{}"), times=3)
    with caplog.at_level(logging.WARNING):
        watching(synced, options, lambda generation: seen.set(), seen, stop)
    assert "signed by the keys" in caplog.text


def test_watching_stops_in_the_middle_of_a_pause(synced, site, server, options, faults):
    asked, stop = threading.Event(), threading.Event()
    server.misbehave("timestamp", lambda handler, data: (asked.set(), handler.answer(503, b"", {"Retry-After": "250"})))
    watching(synced, options, lambda generation: None, asked, stop)


@pytest.mark.guarantee("G11")
def test_watching_finds_damage_and_fetches_the_file_again(synced, server, options, faults):
    blob = max(synced.blobs.files(), key=lambda path: path.stat().st_size)
    good = blob.read_bytes()
    blob.write_bytes(bytes(len(good)))
    fetched, stop = threading.Event(), threading.Event()
    server.api = lambda path, body: (fetched.set() if blob_is(blob, good) else None, (200, b"{}"))[1]
    watching(synced, replace(options, sweep_seconds=0.0), lambda generation: None, fetched, stop)
    assert blob.read_bytes() == good


def blob_is(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


@pytest.fixture
def watched(synced, server, listening):
    """Start watching, with limits; when this returns the first sync has ended and been reported."""
    stop, reported = threading.Event(), threading.Event()
    server.api = lambda path, body: (reported.set(), (200, b"{}"))[1]
    threads = []

    def start(**limits: float) -> None:
        options = replace(listening, limits=replace(listening.limits, **limits))
        threads.append(threading.Thread(target=watch, args=(synced, options, stop, lambda generation: None)))
        threads[0].start()
        assert reported.wait(20)

    yield start
    stop.set()
    threads[0].join(20)
    assert not threads[0].is_alive()


@pytest.mark.guarantee("G14")
def test_a_generation_that_is_told_is_live_long_before_the_next_poll(synced, site, server, watched):
    told = Told(event(1), then=HEARTBEAT)
    server.misbehave(EVENTS, told)
    watched()
    site.publish_delta("new")
    told.lines.append(event(2))
    wait_for(lambda: synced.current() == 2)


@pytest.mark.guarantee("G14")
def test_what_was_published_while_the_line_was_dead_is_told_at_the_next_connection(synced, site, server, watched):
    later = Told(then=HEARTBEAT)
    server.misbehave(EVENTS, Told(event(1)), times=1)  # silent from the first line on
    server.misbehave(EVENTS, later)
    watched(silence_seconds=0.3, listen_backoff_seconds=0.01)
    site.publish_delta("new")
    later.lines.append(event(2))
    wait_for(lambda: synced.current() == 2)


def test_what_the_device_has_already_leads_to_no_sync(server, watched):
    told = Told(event(1), then=HEARTBEAT)
    server.misbehave(EVENTS, told)
    watched()
    told.lines.append(event(9))  # is not published: one sync finds that out, and no second
    wait_for(lambda: polls(server) == 2)
    told.lines += [event(9), event(1), event(9), event(10)]
    wait_for(lambda: polls(server) == 3)


def polls(server) -> int:
    return sum("timestamp" in path for path in server.paths())


def test_a_device_that_cannot_listen_polls(synced, site, server, options, faults):
    live, stop = threading.Event(), threading.Event()
    server.misbehave(EVENTS, faults.status(404))
    site.publish_delta("new")
    watching(synced, options, lambda generation: live.set(), live, stop)
    assert synced.current() == 2


def test_a_device_comes_within_the_spread_but_not_all_the_time_and_not_next_year():
    limits = SyncLimits(spread_floor_seconds=2.0, spread_cap_seconds=10.0)
    for spread, most in ((0.0, 2.0), (5.0, 5.0), (1e300, 10.0)):
        waits = [seconds_until(News(7, spread), limits) for _ in range(200)]
        assert most / 2 < max(waits) <= most


def test_the_service_manager_hears_as_long_as_the_loop_goes_round(synced, options, tmp_path: Path):
    stop = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        manager = ServiceManager(str(tmp_path / "notify"))
        thread = threading.Thread(
            target=watch, args=(synced, options, stop, lambda generation: None, manager), daemon=True
        )
        thread.start()
        heard = [systemd.recv(1_000)]
        while b"WATCHDOG=1" not in heard:
            heard.append(systemd.recv(1_000))
        stop.set()
        thread.join(20)
        assert heard[0] == b"READY=1"
        assert b"STATUS=unchanged, generation 1" in heard


def test_a_service_manager_that_is_away_is_no_failure(tmp_path: Path):
    ServiceManager(str(tmp_path / "nobody")).alive()
    ServiceManager("@nobody listens at this abstract name").ready()
    ServiceManager().alive()
