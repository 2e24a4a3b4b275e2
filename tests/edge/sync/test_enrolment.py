"""Becoming a device, and all the ways in which it fails cleanly."""

import json

import pytest

from skuscan.errors import ConfigError, NetworkError, SkuscanError, StoreError, TrustError
from skuscan.store import Store
from skuscan.sync import enrol
from skuscan.sync.enrolment import problem

TOKEN = "device-token-1"


@pytest.fixture
def enrolling(site, server):
    """The server's answer to an enrolment; a test may change it."""
    answer = {
        "device_id": "kiosk-1",
        "device_token": TOKEN,
        "assortment": "default",
        "metadata_url": "tuf/default/metadata",
        "targets_url": "/tuf/default/targets",
        "blobs_url": f"{server.url}/blobs/sha256",
        "later_field": "of a newer server",
    }
    server.api = lambda path, body: (201, json.dumps(answer).encode())
    return answer


def test_an_enrolled_device_has_a_store_with_its_identity(enrolling, server, token, tmp_path, options):
    identity = enrol(server.url, str(token), tmp_path / "store", "till 4", options)
    assert Store.open(tmp_path / "store").identity == identity
    assert identity.device_token == TOKEN
    assert identity.root_sha256 == token.root_sha256.hex()
    (post,) = [request for request in server.requests if request.method == "POST"]
    assert post.path == "/api/v1/enrol"
    assert json.loads(post.body) == {"token": str(token), "name": "till 4"}


def test_the_identity_is_readable_by_its_owner_only(enrolling, server, token, tmp_path, options):
    enrol(server.url, str(token), tmp_path / "store", "till 4", options)
    holders = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and TOKEN in path.read_text()]
    assert {path.name: path.stat().st_mode & 0o777 for path in holders} == {
        "identity.json": 0o600,
        "identity.copy.json": 0o600,
    }


def test_a_server_under_a_path_is_found(enrolling, server, token, tmp_path, options):
    server.misbehave("^/shop/tuf/", lambda handler, data: handler.answer(200, server.content(handler.path[5:]) or b""))
    enrol(f"{server.url}/shop", str(token), tmp_path / "store", "till 4", options)
    assert server.paths("POST") == ["/shop/api/v1/enrol"]
    assert server.paths() == ["/shop/tuf/default/metadata/1.root.json"]


@pytest.mark.guarantee("G4")
def test_another_root_is_refused_and_no_store_is_made(enrolling, server, token, other_site, tmp_path, options):
    first = (other_site.repository.metadata / "1.root.json").read_bytes()
    server.overlay["/tuf/default/metadata/1.root.json"] = first
    with pytest.raises(TrustError, match="SHA-256 of the enrolment token"):
        enrol(server.url, str(token), tmp_path / "store", "x", options)
    assert not (tmp_path / "store").exists()


def test_a_used_token_is_said_in_the_servers_words(server, site, token, tmp_path, options):
    body = {"type": "about:blank", "title": "Gone", "status": 401, "detail": "this token was used on 3 May"}
    server.api = lambda path, data: (401, json.dumps(body).encode())
    with pytest.raises(NetworkError, match=r"HTTP 401: this token was used on 3 May; .*enrol-token") as caught:
        enrol(server.url, str(token), tmp_path / "store", "x", options)
    assert "\n" not in str(caught.value)
    assert token.secret not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"null", b"\xff", b"[" * 50_000])
def test_a_refusal_without_a_problem_description_is_clean_too(server, site, token, tmp_path, options, body):
    server.api = lambda path, data: (403, body)
    with pytest.raises(NetworkError, match="received HTTP 403;"):
        enrol(server.url, str(token), tmp_path / "store", "x", options)
    assert problem(body) == ""


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"device_id": 5}', b'{"device_id": "a"}', b"\xff\xfe"])
def test_an_answer_that_is_none_is_refused(server, site, token, tmp_path, options, body):
    server.api = lambda path, data: (200, body)
    with pytest.raises(SkuscanError, match="is this a skuscan server"):
        enrol(server.url, str(token), tmp_path / "store", "x", options)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("bad", ["with space", "line\r\nX-Evil: 1", "", "ü"])
def test_a_device_token_that_is_no_header_is_refused(enrolling, server, token, tmp_path, options, bad):
    enrolling["device_token"] = bad
    with pytest.raises(NetworkError, match="an id and a token"):
        enrol(server.url, str(token), tmp_path / "store", "x", options)


def test_another_assortment_than_the_tokens_is_refused(enrolling, server, token, tmp_path, options):
    enrolling["assortment"] = "other"
    with pytest.raises(TrustError, match="assortment default; received other"):
        enrol(server.url, str(token), tmp_path / "store", "x", options)


def test_a_wrong_token_asks_no_server(server, tmp_path, options):
    with pytest.raises(ConfigError, match="an enrolment token reads"):
        enrol(server.url, "sk1.nonsense", tmp_path / "store", "x", options)
    assert server.requests == []


def test_a_second_enrolment_does_not_spend_its_token(enrolling, server, store, token, options):
    server.requests.clear()
    with pytest.raises(StoreError, match="enrolled once"):
        enrol(server.url, str(token), store.path, "x", options)
    assert server.requests == []


def test_a_server_that_is_down_is_one_line(token, tmp_path, options):
    with pytest.raises(NetworkError, match=r"the server answers; received Connection refused at http://127\.0\.0\.1:9"):
        enrol("http://127.0.0.1:9", str(token), tmp_path / "store", "x", options)


@pytest.mark.parametrize("url", ["catalogue.example.org", "http://catalogue.example.org", "", "https://[::1"])
def test_an_address_that_is_none_is_a_clear_error(token, tmp_path, options, url):
    with pytest.raises(SkuscanError):
        enrol(url, str(token), tmp_path / "store", "x", options)
