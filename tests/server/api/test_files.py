"""The published files, as a device or a cache asks for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skuscan.sync.repository_format import etag_of
from skuscan_server.services import Services


@pytest.fixture
def blob(services: Services) -> tuple[str, bytes]:
    """A published blob's path and content."""
    data = bytes(range(256)) * 40
    digest = services.published.put(data).sha256.hex()
    return f"/blobs/sha256/{digest[:2]}/{digest}", data


def test_a_blob_never_changes_and_may_be_cached_for_ever(client: Any, blob: tuple[str, bytes]) -> None:
    path, data = blob
    answer = client.get(path, buffered=True)
    assert answer.data == data
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["ETag"] == f'"{path.split("/")[-1]}"'
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}, buffered=True).status_code == 304


@pytest.mark.guarantee("G8")
def test_an_interrupted_download_goes_on_where_it_was(client: Any, blob: tuple[str, bytes]) -> None:
    path, data = blob
    etag = client.get(path, buffered=True).headers["ETag"]
    rest = client.get(path, headers={"Range": "bytes=5000-", "If-Range": etag}, buffered=True)
    assert (rest.status_code, rest.data) == (206, data[5000:])
    assert rest.headers["Content-Range"] == f"bytes 5000-{len(data) - 1}/{len(data)}"
    whole = client.get(path, headers={"Range": "bytes=5000-", "If-Range": '"another"'}, buffered=True)
    assert (whole.status_code, whole.data) == (200, data)
    assert client.get(path, headers={"Range": f"bytes={len(data)}-"}, buffered=True).status_code == 416


def test_the_timestamp_is_asked_for_every_time(
    client: Any, services: Services, import_rows: Callable[..., Any], five_products: Any
) -> None:
    import_rows(five_products)
    services.publish("default")
    assert client.get("/tuf/default/metadata/timestamp.json", buffered=True).headers["Cache-Control"] == "no-cache"
    assert "immutable" in client.get("/tuf/default/metadata/1.root.json", buffered=True).headers["Cache-Control"]
    targets = services.repository("default").targets
    for path in targets.iterdir():
        assert client.get(f"/tuf/default/targets/{path.name}", buffered=True).data == path.read_bytes()


@pytest.mark.guarantee("G21")
@pytest.mark.parametrize(
    "path",
    [
        "/tuf/default/.lock",
        "/tuf/default/metadata/.tmp-1234",
        "/tuf/default/metadata/../.lock",
        "/tuf/default/metadata/%2e%2e/%2e%2e/%2e%2e/skuscan.db",
        "/tuf/../metadata/timestamp.json",
        "/tuf/..%2f..%2fkeys/metadata/timestamp.json",
        "/tuf/default/targets/timestamp.json",
        "/blobs/sha256/aa/" + "b" * 64,
        "/blobs/sha256/aa/" + "a" * 63 + "\x00",
        "/blobs/sha256/a/" + "a" * 64,
        "/blobs/sha256//" + "a" * 64,
        "/keys/models.pem",
    ],
)
def test_nothing_else_is_served(client: Any, path: str) -> None:
    assert client.get(path, buffered=True).status_code == 404


@pytest.mark.guarantee("G20")
def test_reference_pictures_as_uploaded_are_not_published(
    services: Services, client: Any, import_rows: Any, five_products: Any
) -> None:
    import_rows(five_products)
    services.publish("default")
    for path in services.pictures.files():
        assert client.get(f"/blobs/sha256/{path.parent.name}/{path.name}", buffered=True).status_code == 404
    assert not Path(services.config.published).is_relative_to(services.config.pictures)


def test_a_timestamp_that_a_device_has_is_not_sent_again(client: Any, services: Services) -> None:
    path = services.config.published / "tuf/default/metadata/timestamp.json"
    path.write_bytes(b"{}")
    url, known = "/tuf/default/metadata/timestamp.json", etag_of(b"{}")
    assert client.get(url).headers["ETag"] == f'"{known}"'
    answer = client.get(url, headers={"If-None-Match": f'"{known}"'})
    assert (answer.status_code, answer.data) == (304, b"")
    path.write_bytes(b"[]")
    answer = client.get(url, headers={"If-None-Match": f'"{known}"'})
    assert (answer.status_code, answer.data) == (200, b"[]")
