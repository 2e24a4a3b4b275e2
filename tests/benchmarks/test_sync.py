"""The relay that counts what a sync moves."""

import socket
import threading
from urllib.parse import urlsplit

import pytest

from benchmarks.sync import Relay

PATIENCE = 10.0  # s


def call(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(relay.url).port), PATIENCE)


@pytest.fixture
def connected():
    """A relay, and both ends of a connection through it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Relay(listener.getsockname()[1]) as relay,
        call(relay) as device,
        listener.accept()[0] as server,
    ):
        server.settimeout(PATIENCE)
        yield relay, device, server


def test_bytes_of_both_directions_are_passed_on_and_counted_once(connected):
    relay, device, server = connected
    device.sendall(b"what?")
    assert server.recv(100) == b"what?"
    server.sendall(b"that")
    assert device.recv(100) == b"that"
    assert relay.take() == len(b"what?that")
    assert relay.take() == 0


def test_a_connection_is_closed_when_both_directions_have_ended(connected):
    """And no sooner: who has asked and says so by closing its half still gets an answer."""
    _, device, server = connected
    relaying = [thread for thread in threading.enumerate() if "_connect" in thread.name]
    assert relaying
    device.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b""
    server.sendall(b"late")
    assert device.recv(100) == b"late"
    server.close()
    assert device.recv(100) == b""
    for thread in relaying:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_server_that_is_gone_ends_the_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = listener.getsockname()[1]
    with Relay(gone) as relay, call(relay) as device:
        assert device.recv(100) == b""
