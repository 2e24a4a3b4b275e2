import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from skuscan_server.catalogue import products
from skuscan_server.db.models import Assortment
from skuscan_server.scheduler import Pending, Rules, Scheduler, is_due
from skuscan_server.services import Services

RULES = Rules(changes=100, quiet=30.0, interval=3600.0)
STOP = threading.Event()  # never set


@pytest.mark.parametrize(
    ("pending", "due"),
    [
        (Pending("", 0, 1e9, 1e9), False),
        (Pending("base", 0, 0.0, 0.0), True),
        (Pending("", 1, 1.0, 10.0), False),
        (Pending("", 100, 1.0, 10.0), True),
        (Pending("", 1, 30.0, 40.0), True),
        (Pending("", 1, 1.0, 3600.0), True),
    ],
)
def test_changes_are_published_when_many_when_quiet_or_when_they_waited(pending: Pending, due: bool) -> None:
    assert is_due(pending, RULES) is due


@pytest.fixture
def state(services: Services) -> Callable[[], Assortment]:
    def read() -> Assortment:
        with services.database.read() as session:
            return session.get_one(Assortment, "default")

    return read


def test_the_first_import_is_published_by_itself_and_once(
    services: Services, import_rows: Callable[..., Any], five_products: Any, state: Callable[[], Assortment]
) -> None:
    scheduler = Scheduler(services)
    scheduler.tick(STOP)
    assert services.repository("default").live_version() is None
    import_rows(five_products)
    scheduler.tick(STOP)
    first = services.repository("default").live_version()
    assert first is not None
    assert (state().publish_requested, state().last_error) == ("", "")
    scheduler.tick(STOP)
    assert services.repository("default").live_version() == first


def test_a_failed_publication_is_noted_and_tried_again_later(
    services: Services,
    import_rows: Callable[..., Any],
    five_products: Any,
    state: Callable[[], Assortment],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import_rows(five_products)
    tries = []

    def fail(name: str, **_: object) -> None:
        tries.append(name)
        raise RuntimeError("broken")

    scheduler = Scheduler(services)
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(services, "publish", fail)
        scheduler.tick(STOP)
        scheduler.tick(STOP)
    assert tries == ["default"]
    assert "broken" in caplog.text
    assert state().last_error == "an internal error: see the scheduler's log"
    Scheduler(services).tick(STOP)
    assert state().last_error == ""


def test_one_assortment_s_failure_does_not_stop_another_s(
    services: Services, import_rows: Callable[..., Any], five_products: Any
) -> None:
    services.create_assortment("a-empty", "test")
    import_rows(five_products)
    with services.database.write() as session:
        session.get_one(Assortment, "a-empty").publish_requested = "changes"
    Scheduler(services).tick(STOP)
    with services.database.read() as session:
        assert "import a catalogue" in session.get_one(Assortment, "a-empty").last_error
    assert services.repository("default").live_version() is not None


def test_metadata_is_signed_again_in_time(
    services: Services, import_rows: Callable[..., Any], five_products: Any
) -> None:
    import_rows(five_products)
    services.publish("default")
    before = services.repository("default").live_version()
    scheduler = Scheduler(services)
    scheduler.tick(STOP)
    assert services.repository("default").live_version() == before
    with services.database.write() as session:
        session.get_one(Assortment, "default").signed_at -= 2 * services.config.resign_interval
    scheduler.tick(STOP)
    after = services.repository("default").live_version()
    assert before is not None
    assert after is not None
    assert (after.generation, after.timestamp > before.timestamp) == (before.generation, True)


def test_a_change_that_does_not_touch_an_assortment_is_looked_at_once(
    services: Services, import_rows: Callable[..., Any], five_products: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows(five_products)
    services.publish("default")
    with services.database.write() as session:
        products.count_changes(session, 1_000)
    scheduler = Scheduler(services)
    scheduler.tick(STOP)
    monkeypatch.setattr(services, "publish", None)
    scheduler.tick(STOP)


def test_it_stops_when_told(services: Services) -> None:
    stop = threading.Event()
    stop.set()
    Scheduler(services).run(stop)
