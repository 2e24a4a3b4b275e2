"""A wrong clock is said: in the journal, and to the server."""

import json
import time
from email.utils import formatdate

import pytest
from click.testing import CliRunner

from skuscan.cli.status import command as show_status
from skuscan.doctor import examine
from skuscan.runtime import RuntimeOptions
from skuscan.sync import import_bundle, sync_once
from skuscan.sync.clock import BEHIND, RIGHT, skew_of, told_skew

HOUR = 3_600  # s


@pytest.fixture
def at(monkeypatch):
    """Set the device's clock: so many seconds ahead of the server, which says its own time."""
    truth = time.time

    def set_clock(ahead: float) -> None:
        monkeypatch.setattr("skuscan.sync.clock.time.time", lambda: truth() + ahead)

    monkeypatch.setattr(
        "http.server.BaseHTTPRequestHandler.date_time_string", lambda handler, at=None: formatdate(truth(), usegmt=True)
    )
    return set_clock


def told(store) -> list[str]:
    return [event["reason"] for event in store.journal.last(100) if event["event"] == "clock"]


@pytest.mark.guarantee("G13")
@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (2 * HOUR, "the clock is 2 hours ahead of the server's"),
        (-180 * 86_400.0, "the clock is 180 days behind the server's"),
        (90.0, "the clock is 2 minutes ahead of the server's"),
    ],
)
def test_a_wrong_clock_is_told_once_and_so_is_a_right_one(site, server, store, options, pass_probes, at, ahead, text):
    site.publish_base("a")
    at(ahead)
    for _ in range(3):
        sync_once(store, options, pass_probes)
    assert told(store) == [text]
    report = json.loads(next(request.body for request in server.requests if request.method == "POST"))
    assert float(report["clock_skew_s"]) == pytest.approx(ahead, abs=30)
    at(0)
    for _ in range(2):
        sync_once(store, options, pass_probes)
    assert told(store) == [text, RIGHT]


@pytest.mark.guarantee("G13")
def test_a_clock_behind_a_time_that_was_seen_signed_is_told_without_a_server(
    site, server, store, options, pass_probes, at
):
    site.publish_base("a")
    sync_once(store, options, pass_probes)
    at(-3 * HOUR)
    for _ in range(2):
        import_bundle(store, site.folder, options, pass_probes)
    assert told(store) == [BEHIND]
    status = CliRunner().invoke(show_status, ["--store", str(store.path)])
    assert f"CLOCK       {BEHIND}" in status.output.splitlines()
    clock = next(finding for finding in examine(store.path, RuntimeOptions(), options) if finding.check == "clock")
    assert (clock.state, clock.text) == ("warning", "3.0 hours behind a time that was seen signed")
    at(0)
    sync_once(store, options, pass_probes)
    assert told(store) == [BEHIND, RIGHT]
    assert "CLOCK" not in CliRunner().invoke(show_status, ["--store", str(store.path)]).output


@pytest.mark.parametrize(("skew", "seconds"), [(None, -HOUR), (1.0, -HOUR), (-2.0 * HOUR, -2 * HOUR)])
def test_a_report_tells_a_clock_behind_the_floor_where_the_server_does_not_know_better(skew, seconds):
    assert told_skew(skew, time.time() + HOUR) == pytest.approx(seconds, abs=2)


def test_a_right_clock_is_not_mentioned(site, server, store, options, pass_probes, at):
    site.publish_base("a")
    at(20)
    sync_once(store, options, pass_probes)
    assert told(store) == []
    assert "clock_skew_s" not in json.loads(server.requests[-1].body)  # 0, which is not sent


def test_a_cache_that_says_how_old_its_answer_is_makes_no_clock_wrong():
    date = formatdate(time.time() - HOUR, usegmt=True)
    assert told_skew(skew_of({"Date": date, "Age": str(HOUR)}), 0) == 0
    assert told_skew(skew_of({"Date": date}), 0) == pytest.approx(HOUR, abs=2)


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}, {"Date": "x" * 5}])
def test_an_answer_without_a_date_tells_nothing(headers):
    assert skew_of(headers) is None
    assert told_skew(None, 0) == 0
