"""What operators' monitoring reads, in Prometheus' text format.

Two sources. Counters and times are kept by the processes that do the work, in files that they share (the library's
multiprocess mode), so several gunicorn workers and the scheduler come to one sum. What the database knows better is
read from it when it is asked for: devices, their failures, and features, which command lines compute, too.

Labels are few whatever is sent: routes, not paths; the most frequent generations and rules, and "other".
"""

import os
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.metrics_core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from skuscan_server.db.models import Device, Feature, Publication
from skuscan_server.db.session import Database

SHARED_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name; read when it is imported
PUBLISH_BUCKETS = (0.5, 1, 2, 5, 10, 30, 60, 300, 1_800)  # s
SILENCE_BUCKETS = (600, 3_600, 86_400, 604_800)  # s: ten minutes, an hour, a day, a week
MOST_LABELS = 20  # values of one label; the others are counted together
OTHER = "other"
FAILED_STATES = ("rejected", "degraded")


class Metrics:
    """What one process counts.

    Attributes:
        registry: Holds them; of use where processes share no folder.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "skuscan_http_requests", "Requests that were answered.", ["route", "status"], registry=self.registry
        )
        self._publish = Histogram(
            "skuscan_publish_seconds",
            "Time that publications took, by kind.",
            ["kind"],
            buckets=PUBLISH_BUCKETS,
            registry=self.registry,
        )
        self._listeners = Gauge(
            "skuscan_event_listeners",
            "Devices that listen for publications.",
            multiprocess_mode="sum",
            registry=self.registry,
        )

    def count_request(self, route: str | None, status: int) -> None:
        """A request was answered; None: no route fits its path."""
        self._requests.labels(route or OTHER, str(status)).inc()

    def time_publication(self, kind: str, seconds: float) -> None:
        """A publication came about."""
        self._publish.labels(kind).observe(seconds)

    def set_listeners(self, count: int) -> None:
        """So many devices listen to this process."""
        self._listeners.set(count)


class DatabaseCollector(Collector):
    """What the database knows, read anew for every scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry must not ask the database only to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Devices that are not revoked, and features."""
        with self._database.read() as session:
            yield _features(session)
            yield _generations(session)
            devices = session.scalars(select(Device).where(Device.revoked_at.is_(None))).all()
        yield _devices(devices)
        yield _silence(devices, time.time())
        yield _failures(devices)


def serve_metrics(database: Database, folder: Path, address: str, port: int) -> WSGIServer:
    """Answer scrapes in a thread, with what all processes have counted. `shutdown()` ends it.

    Args:
        database: Whose devices.
        folder: The processes' shared folder.
        address: To listen on.
        port: To listen on; 0: any.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    registry.register(DatabaseCollector(database))
    server, _ = start_http_server(port, address, registry)
    return server


def shared_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder in which this process counts; None: in its memory only."""
    folder = environment.get(SHARED_FOLDER_VARIABLE)
    return Path(folder) if folder else None


def _features(session: Session) -> Metric:
    count = session.scalar(select(func.count()).select_from(Feature)) or 0
    return GaugeMetricFamily("skuscan_features", "Features computed, of pictures and feature spaces.", value=count)


def _generations(session: Session) -> Metric:
    family = GaugeMetricFamily("skuscan_generation", "The newest published generation.", labels=["assortment"])
    query = select(Publication.assortment, func.max(Publication.generation)).group_by(Publication.assortment)
    for assortment, generation in session.execute(query):
        family.add_metric([assortment], generation)
    return family


def _devices(devices: Iterable[Device]) -> Metric:
    family = GaugeMetricFamily(
        "skuscan_devices",
        "Devices by what they last reported; generation 0 and no state: nothing yet.",
        labels=["assortment", "generation", "state"],
    )
    devices = list(devices)
    frequent = _frequent(str(device.generation) for device in devices)
    tally = Tally((d.assortment, frequent.get(str(d.generation), OTHER), d.state) for d in devices)
    for labels, count in sorted(tally.items()):
        family.add_metric(labels, count)
    return family


def _silence(devices: Iterable[Device], now: float) -> Metric:
    family = GaugeHistogramMetricFamily(
        "skuscan_device_silence_seconds", "Time since devices last reported.", labels=["assortment"]
    )
    by_assortment: dict[str, list[float]] = {}
    for device in devices:
        if device.seen_at is not None:
            by_assortment.setdefault(device.assortment, []).append(max(0.0, now - device.seen_at))
    for assortment, silences in sorted(by_assortment.items()):
        edges = [(str(float(edge)), sum(silence <= edge for silence in silences)) for edge in SILENCE_BUCKETS]
        family.add_metric([assortment], [*edges, ("+Inf", len(silences))], sum(silences))
    return family


def _failures(devices: Iterable[Device]) -> Metric:
    family = GaugeMetricFamily(
        "skuscan_sync_failures", "Devices whose last sync failed, by the rule that was broken.", labels=["rule"]
    )
    rules = [_rule(device.reason) for device in devices if device.state in FAILED_STATES]
    frequent = _frequent(rules)
    for rule, count in sorted(Tally(frequent.get(rule, OTHER) for rule in rules).items()):
        family.add_metric([rule], count)
    return family


def _rule(reason: str) -> str:
    """A report's reason is an error's text: rule, what was received, advice."""
    return reason.partition("; received ")[0]


def _frequent(values: Iterable[str]) -> dict[str, str]:
    """The most frequent values, each for itself."""
    return {value: value for value, _ in Tally(values).most_common(MOST_LABELS)}
