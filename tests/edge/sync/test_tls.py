"""TLS as a device meets it: a certificate authority of the retailer's own, strangers, and a proxy between."""

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
import trustme

from skuscan.errors import ConfigError, NetworkError
from skuscan.sync import sync_once
from skuscan.sync.transport import Transport
from tools.fault_bench.http import Server
from tools.fault_bench.serving import serving

CONTENT = b"over TLS"
PIECE = 65_536  # bytes
PATIENCE = 5.0  # s


@dataclass
class Shop:
    """A server with a certificate of a CA that nobody but the retailer knows.

    Attributes:
        url: Its https address.
        ca_file: The CA's certificate, PEM.
        server: What was asked of it.
    """

    url: str
    ca_file: Path
    server: Server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def https(site, serve, authority: trustme.CA, tmp_path: Path) -> Shop:
    """The published folder over TLS, for the name localhost."""
    server = serve(site.folder)
    server.overlay["/x"] = CONTENT
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    # The handshake belongs to the thread of the connection, not to the one that accepts.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return Shop(f"https://localhost:{server.server_port}", tmp_path / "ca.pem", server)


def test_a_server_of_the_retailer_s_own_authority_is_believed(https: Shop, options) -> None:
    transport = Transport(replace(options, ca_file=https.ca_file))
    assert transport.get(f"{https.url}/x", 100) == CONTENT


@pytest.mark.guarantee("G4")
def test_a_whole_sync_goes_over_tls(https: Shop, site, store, options, pass_probes) -> None:
    site.publish_base("a", "b")
    store.identity = replace(store.identity, server_url=https.url, blobs_url="/blobs/sha256")
    assert sync_once(store, replace(options, ca_file=https.ca_file), pass_probes).state == "activated"


@pytest.mark.guarantee("G4")
def test_an_unknown_authority_is_refused_before_anything_is_asked(https: Shop, options) -> None:
    with pytest.raises(NetworkError, match="certificate verify failed"):
        Transport(options).get(f"{https.url}/x", 100)
    assert https.server.requests == []


@pytest.mark.guarantee("G4")
def test_another_authority_than_the_configured_one_is_refused(https: Shop, options, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "stranger.pem")
    with pytest.raises(NetworkError, match="certificate verify failed"):
        Transport(replace(options, ca_file=tmp_path / "stranger.pem")).get(f"{https.url}/x", 100)
    assert https.server.requests == []


@pytest.mark.guarantee("G4")
def test_a_certificate_of_another_host_is_refused(https: Shop, options) -> None:
    transport = Transport(replace(options, ca_file=https.ca_file))
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1"):
        transport.get(f"{https.url.replace('localhost', '127.0.0.1')}/x", 100)
    assert https.server.requests == []


@pytest.mark.parametrize("content", [b"", b"no certificate", None])
def test_a_file_without_certificates_is_said_by_its_name(options, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "none.pem").write_bytes(content)
    with pytest.raises(ConfigError, match=r"PEM file; received .*none\.pem"):
        Transport(replace(options, ca_file=tmp_path / "none.pem"))


def test_a_redirect_from_https_to_http_is_refused(https: Shop, options, faults) -> None:
    https.server.misbehave("/x", faults.redirect(f"http://localhost:{https.server.server_port}/x"))
    with pytest.raises(NetworkError, match="redirects stay on the server's host"):
        Transport(replace(options, ca_file=https.ca_file)).get(f"{https.url}/x", 100)


class Tunnel(BaseRequestHandler):
    """A proxy that knows CONNECT."""

    def handle(self) -> None:
        asked = self.request.recv(PIECE).split(b"\r\n")[0].decode()
        self.server.asked.append(asked)
        host, _, port = asked.split()[1].rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as there:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(there, self.request), daemon=True)
            back.start()
            _pump(self.request, there)
            back.join(PATIENCE)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Until one side hangs up."""
    try:
        while data := source.recv(PIECE):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def tunnel() -> Iterator[ThreadingTCPServer]:
    with ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as proxy:
        proxy.daemon_threads = True
        proxy.asked = []
        with serving(proxy):
            yield proxy


def test_a_proxy_carries_tls_and_sees_no_more_than_the_host(https: Shop, tunnel, options) -> None:
    proxy = f"http://127.0.0.1:{tunnel.server_address[1]}"
    transport = Transport(replace(options, ca_file=https.ca_file, proxy=proxy))
    assert transport.get(f"{https.url}/x", 100) == CONTENT
    assert [line.split()[:2] for line in tunnel.asked] == [["CONNECT", https.url.removeprefix("https://")]]


@pytest.mark.guarantee("G4")
def test_a_proxy_that_breaks_tls_open_is_refused(https: Shop, tunnel, options, tmp_path: Path) -> None:
    """It has a certificate for the host, but of its own authority."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "ours.pem")
    proxy = f"http://127.0.0.1:{tunnel.server_address[1]}"
    with pytest.raises(NetworkError, match="certificate verify failed"):
        Transport(replace(options, ca_file=tmp_path / "ours.pem", proxy=proxy)).get(f"{https.url}/x", 100)
    assert https.server.requests == []
