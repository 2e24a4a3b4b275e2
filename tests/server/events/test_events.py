"""What tells devices of publications, in a process of its own, with sockets."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from skuscan.proto.bundle_pb2 import Manifest
from skuscan_server.access.devices import revoke
from skuscan_server.access.secrets import digest
from skuscan_server.app import create_app
from skuscan_server.config import ServerConfig
from skuscan_server.db.models import Device
from skuscan_server.problem import MEDIA_TYPE
from skuscan_server.services import Services
from tools.fault_bench.listeners import token_of
from tools.fault_bench.waiting import wait_for
from tools.ports import free_port

PATIENCE = 60.0  # s
MOST = 3  # listeners
SERVE = (
    "from skuscan_server.config import load_config; from skuscan_server.events.application import Timing; "
    "from skuscan_server.events.server import serve_events; "
    "serve_events(load_config(), Timing(heartbeat=0.2, watch=0.05, life={life}))"
)


class Events:
    """A server of which only the events run, connections to it, and devices."""

    def __init__(self, services: Services, life: float = PATIENCE) -> None:
        self.services = services
        self.repository = services.repository("default")
        self.generation = 0
        self._devices = 0
        self._open = contextlib.ExitStack()
        self._port = free_port()
        environment = {
            **os.environ,
            "SKUSCAN_SERVER_DATA_FOLDER": str(services.config.data_folder),
            "SKUSCAN_SERVER_EVENTS_BIND": f"127.0.0.1:{self._port}",
            "SKUSCAN_SERVER_EVENT_LISTENERS": str(MOST),
        }
        self.process = subprocess.Popen([sys.executable, "-c", SERVE.format(life=life)], env=environment)
        wait_for(self._answers, PATIENCE)

    def publish(self) -> int:
        """Sign the next generation, of nothing."""
        self.generation += 1
        manifest = Manifest(assortment="default", generation=self.generation)
        self.repository.publish(manifest.SerializeToString(), b"a model")
        return self.generation

    def enrol(self) -> int:
        """A new device's number."""
        number, self._devices = self._devices, self._devices + 1
        token = digest(token_of(number))
        with self.services.database.write() as session:
            session.add(Device(id=id_of(number), name="", assortment="default", token_sha256=token, enrolled_at=1.0))
        return number

    def revoke(self, number: int) -> None:
        """Refuse a device from now on."""
        with self.services.database.write() as session:
            revoke(session, id_of(number))

    def ask(self, token: str, method: str = "GET") -> HTTPResponse:
        """Ask once."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        self._open.callback(connection.close)
        connection.request(method, "/api/v1/events", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse()

    def listen(self, number: int | None = None) -> HTTPResponse:
        """Ask as a device, a new one if none is given, until there is room: others may have hung up just now."""
        token = token_of(self.enrol() if number is None else number)

        def answered() -> HTTPResponse | None:
            answer = self.ask(token)
            return answer if answer.status == 200 else None

        found = wait_for(answered, PATIENCE)
        assert found
        return found

    def hang_up(self) -> None:
        """Close all connections."""
        self._open.close()

    def close(self) -> None:
        """End the process."""
        self.hang_up()
        self.process.terminate()
        self.process.wait(PATIENCE)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), PATIENCE):
            return True
        return False


def id_of(number: int) -> str:
    return f"{number:032x}"


def read_to_end(stream: HTTPResponse) -> None:
    """Raises when it does not end in good order."""
    while stream.readline():
        pass


@pytest.fixture(scope="module")
def running(fresh_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Events]:
    """One process for most tests: starting it takes longer than they do."""
    folder = tmp_path_factory.mktemp("events") / "data"
    shutil.copytree(fresh_server, folder)
    events = Events(Services(ServerConfig(data_folder=folder)))
    yield events
    events.close()


@pytest.fixture
def events(running: Events) -> Iterator[Events]:
    yield running
    running.hang_up()


@pytest.fixture
def brief_events(services: Services) -> Iterator[Events]:
    """A process of its own, whose streams are short."""
    events = Events(services, life=0.5)
    yield events
    events.close()


def told(stream: HTTPResponse) -> dict[str, Any]:
    """The next event; heartbeats before it are passed over."""
    while not (line := stream.readline()).startswith(b"data: "):
        assert line, "the stream ended"
    found: dict[str, Any] = json.loads(line[6:])
    return found


def test_before_the_first_publication_there_are_heartbeats_only(events: Events) -> None:
    stream = events.listen()
    assert stream.readline() == b":\n"
    events.publish()
    assert told(stream)["generation"] == events.generation


@pytest.mark.guarantee("G14")
def test_a_device_is_told_what_is_published_at_once_and_whenever_it_changes(events: Events) -> None:
    events.publish()
    stream = events.listen()
    assert stream.headers["Content-Type"] == "text/event-stream"
    assert told(stream) == {"generation": events.generation, "spread": 2.0}
    assert events.publish() == told(stream)["generation"]
    events.repository.resign()  # the same generation: nobody has to come
    assert events.publish() == told(stream)["generation"]


def test_heartbeats_tell_that_the_line_is_alive(events: Events) -> None:
    events.publish()
    stream = events.listen()
    told(stream)
    assert [stream.readline() for _ in range(5)] == [b"\n", b":\n", b"\n", b":\n", b"\n"]


@pytest.mark.guarantee("G22")
def test_beyond_the_limit_a_device_is_asked_to_come_back_and_finds_room_when_another_leaves(events: Events) -> None:
    events.publish()
    streams = [events.listen() for _ in range(MOST)]
    assert [told(stream)["generation"] for stream in streams] == [events.generation] * MOST
    late = events.enrol()
    refused = events.ask(token_of(late))
    assert (refused.status, refused.headers["Retry-After"]) == (503, "60")
    assert refused.headers["Content-Type"] == MEDIA_TYPE
    assert json.load(refused)["rule"] == f"{MOST} devices listen at once"
    events.hang_up()
    assert told(events.listen(late))["generation"] == events.generation


def test_a_new_stream_of_a_device_ends_the_one_before(events: Events) -> None:
    events.publish()
    device = events.enrol()
    first, second = events.listen(device), events.listen(device)
    assert told(second)["generation"] == events.generation
    read_to_end(first)


def test_only_enrolled_devices_listen(events: Events) -> None:
    revoked = events.enrol()
    events.revoke(revoked)
    for token in (token_of(revoked), "skd1.another", " "):
        answer = events.ask(token)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert json.load(answer)["type"] == "urn:skuscan:problem:access"


def test_a_device_that_asks_too_often_is_told_to_wait(events: Events) -> None:
    device = events.enrol()
    answers = (events.ask(token_of(device)) for _ in range(events.services.config.device_burst + 50))
    limited = next(answer for answer in answers if answer.status == 429)
    assert int(limited.headers["Retry-After"]) >= 1


def test_only_events_are_here(events: Events) -> None:
    assert events.ask(token_of(events.enrol()), "POST").status == 404


def test_while_it_streams_it_holds_no_database_connection(events: Events) -> None:
    events.publish()
    told(events.listen())
    files = [path.readlink() for path in Path(f"/proc/{events.process.pid}/fd").iterdir() if path.is_symlink()]
    assert not [file for file in files if "skuscan.db" in file.name]


def test_a_stream_ends_now_and_then_so_that_a_revoked_device_is_found_out(brief_events: Events) -> None:
    device = brief_events.enrol()
    stream = brief_events.listen(device)
    brief_events.revoke(device)
    read_to_end(stream)
    assert brief_events.ask(token_of(device)).status == 401


def test_sigterm_ends_the_streams_and_the_process(events: Events) -> None:
    events.publish()
    stream = events.listen()
    told(stream)
    events.process.send_signal(signal.SIGTERM)  # the last test of this process
    read_to_end(stream)
    assert events.process.wait(PATIENCE) == 0


def test_the_web_server_says_at_which_port_they_are(services: Services) -> None:
    config = ServerConfig(data_folder=services.config.data_folder, events_bind="[::1]:8001")
    assert create_app(config).test_client().get("/api/v1/events").get_json() == {"port": 8001}
    assert create_app(services.config).test_client().get("/api/v1/events").status_code == 404
