"""Files from a server that lies, stalls and cuts."""

import threading
import time

import pytest

from skuscan.errors import NetworkError, StoreError, TrustError
from skuscan.model import file_ref
from skuscan.store.blobs import BlobFolder
from skuscan.sync.downloader import Download, Downloader
from skuscan.sync.transport import Transport

BLOCK = 4_096  # bytes, as in the tests' limits
CONTENT = bytes(range(256)) * 200  # 51,200 bytes: twelve blocks and a half


@pytest.fixture
def download(site, server, blob):
    """The blob of some content, published."""

    def publish(data: bytes = CONTENT) -> Download:
        name = blob(site, data).sha256.hex()
        return Download(file_ref(data), f"{server.url}/blobs/sha256/{name[:2]}/{name}")

    return publish


@pytest.fixture
def blobs(tmp_path) -> BlobFolder:
    return BlobFolder(tmp_path / "blobs")


def parts(tmp_path) -> list[int]:
    return [path.stat().st_size for path in (tmp_path / "parts").iterdir()]


def test_a_file_arrives_whole(download, downloader, blobs, tmp_path):
    one = download()
    downloader.fetch([one])
    assert blobs.read(one.file) == CONTENT
    assert parts(tmp_path) == []


def test_many_files_come_over_several_connections(download, downloader, blobs, server, faults):
    """Four files are asked for before the first is answered."""
    met = threading.Barrier(4)
    server.misbehave("/blobs/", lambda handler, data: (met.wait(5), handler.answer_range(data)), times=4)
    wanted = [download(bytes([number]) * 100) for number in range(12)]
    downloader.fetch(wanted)
    assert all(blobs.is_intact(one.file) for one in wanted)


def test_a_file_that_is_wanted_twice_comes_once(download, downloader, blobs, server):
    one = download()
    said = []
    downloader.fetch([one] * 4, lambda done, total: said.append((done, total)))
    assert blobs.read(one.file) == CONTENT
    assert server.sent == len(CONTENT)
    assert said[-1] == (len(CONTENT), len(CONTENT))


def test_progress_ends_at_the_total(download, downloader):
    said = []
    downloader.fetch([download(CONTENT), download(b"x" * 10)], lambda done, total: said.append((done, total)))
    assert said[-1] == (len(CONTENT) + 10, len(CONTENT) + 10)
    assert [done for done, _ in said] == sorted(done for done, _ in said)


@pytest.mark.guarantee("G8")
def test_a_cut_download_goes_on_and_fetches_at_most_one_block_twice(download, downloader, blobs, server, faults):
    one = download()
    cuts = 5
    server.misbehave("/blobs/", faults.cut_after(2 * BLOCK + 1_000), times=cuts)
    downloader.fetch([one])
    assert blobs.read(one.file) == CONTENT
    assert len(CONTENT) < server.sent <= len(CONTENT) + cuts * BLOCK


@pytest.mark.guarantee("G8")
def test_a_download_goes_on_in_another_process(download, downloader, blobs, server, faults, tmp_path, transport):
    one = download()
    server.misbehave("/blobs/", faults.cut_after(3 * BLOCK + 500), times=1)
    server.misbehave("/blobs/", faults.status(404), times=1)
    with pytest.raises(NetworkError):
        downloader.fetch([one])
    server.sent = 0
    Downloader(transport, blobs, tmp_path / "parts").fetch([one])
    assert blobs.read(one.file) == CONTENT
    assert server.requests[-1].headers["Range"] == f"bytes={3 * BLOCK}-"
    assert server.sent == len(CONTENT) - 3 * BLOCK


@pytest.mark.guarantee("G8")
def test_a_line_that_dies_often_gets_there_while_each_attempt_brings_a_block(
    download, downloader, blobs, server, faults
):
    one = download()
    server.misbehave("/blobs/", faults.cut_after(BLOCK + 1))
    server.faults = [(pattern, fault, 12) for pattern, fault, _ in server.faults]
    downloader.fetch([one])
    assert blobs.is_intact(one.file)


def test_a_line_that_brings_nothing_is_given_up(download, downloader, server, faults):
    server.misbehave("/blobs/", faults.cut_after(100))
    with pytest.raises(NetworkError, match="a transfer runs to its end"):
        downloader.fetch([download()])
    assert len(server.requests) == 3  # attempts


def test_a_server_without_ranges_is_heard_from_the_beginning(download, downloader, blobs, server, faults):
    one = download()
    server.misbehave("/blobs/", faults.cut_after(2 * BLOCK), times=1)
    server.misbehave("/blobs/", faults.no_ranges)
    downloader.fetch([one])
    assert blobs.is_intact(one.file)


def test_a_wrong_range_is_refused(download, downloader, server, faults):
    server.misbehave("/blobs/", faults.cut_after(2 * BLOCK), times=1)
    server.misbehave("/blobs/", lambda handler, data: handler.answer(206, data, {"Content-Range": "bytes 0-9/10"}))
    with pytest.raises(NetworkError, match="a range goes on at byte 8192 of 51200; received bytes 0-9/10"):
        downloader.fetch([download()])


@pytest.mark.guarantee("G4")
def test_other_content_of_the_right_length_is_thrown_away(download, downloader, blobs, server, tmp_path):
    one = download()
    server.overlay[one.url.removeprefix(server.url)] = bytes(len(CONTENT))
    with pytest.raises(TrustError, match="SHA-256 that was signed"):
        downloader.fetch([one])
    assert not blobs.has(one.file)
    assert parts(tmp_path) == []


def test_a_damaged_beginning_is_fetched_again(download, downloader, blobs, server, faults, tmp_path):
    one = download()
    server.misbehave("/blobs/", faults.cut_after(3 * BLOCK), times=1)
    server.misbehave("/blobs/", faults.status(404), times=1)
    with pytest.raises(NetworkError):
        downloader.fetch([one])
    (part,) = (tmp_path / "parts").iterdir()
    part.write_bytes(bytes(part.stat().st_size))
    downloader.fetch([one])
    assert blobs.is_intact(one.file)


@pytest.mark.parametrize("extra", [0, 1, 10 * BLOCK])
def test_a_part_that_is_too_long_or_complete_is_mended(download, downloader, blobs, tmp_path, extra):
    one = download()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / f"{one.file.sha256.hex()}.part").write_bytes(CONTENT + bytes(extra))
    downloader.fetch([one])
    assert blobs.is_intact(one.file)


@pytest.mark.guarantee("G9")
def test_no_byte_more_than_signed_is_kept(download, downloader, blobs, server, faults, tmp_path):
    one = download()
    server.misbehave("/blobs/", faults.endless)
    with pytest.raises(NetworkError, match="an answer has at most 51200 bytes"):
        downloader.fetch([one])
    assert all(size <= len(CONTENT) for size in parts(tmp_path))
    assert not blobs.has(one.file)


@pytest.mark.guarantee("G9")
def test_a_file_shorter_than_signed_is_refused(download, downloader, blobs, server):
    one = download()
    server.overlay[one.url.removeprefix(server.url)] = CONTENT[:-1]
    with pytest.raises(NetworkError, match="51199"):
        downloader.fetch([one])
    assert not blobs.has(one.file)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("stall", "a transfer runs to its end"),
        ("trickle_body", "at least 1000 bytes/s"),
        ("trickle_head", "the server answers"),
    ],
)
def test_a_slow_loris_is_left(download, downloader, server, faults, fault, rule):
    server.misbehave("/blobs/", getattr(faults, fault))
    started = time.monotonic()
    with pytest.raises(NetworkError, match=rule):
        downloader.fetch([download()])
    assert time.monotonic() - started < 6


def test_a_deadline_ends_a_steady_but_slow_transfer(site, server, faults, download, blobs, tmp_path, with_limits):
    options = with_limits(minimum_rate=1.0, file_seconds=0.3, gap_seconds=5.0, header_seconds=5.0)
    server.misbehave("/blobs/", faults.trickle_body)
    with pytest.raises(NetworkError, match="before its deadline"):
        Downloader(Transport(options), blobs, tmp_path / "parts").fetch([download()])


def test_a_redirect_on_the_same_host_is_followed(download, downloader, blobs, server, faults):
    one = download()
    place = one.url.removeprefix(server.url)
    server.misbehave("^/moved$", faults.redirect(place))
    downloader.fetch([Download(one.file, f"{server.url}/moved")])
    assert blobs.is_intact(one.file)


@pytest.mark.guarantee("G4")
@pytest.mark.parametrize("to", ["http://127.0.0.1:9/x", "https://127.0.0.1/x", "//example.org/x", "file:///etc/passwd"])
def test_a_redirect_to_another_host_is_refused(download, downloader, server, faults, to):
    server.misbehave("/blobs/", faults.redirect(to))
    with pytest.raises(NetworkError, match="redirects stay on the server's host"):
        downloader.fetch([download()])


def test_redirects_in_a_circle_end(download, downloader, server, faults):
    one = download()
    server.misbehave("/blobs/", faults.redirect(one.url))
    with pytest.raises(NetworkError, match="at most 3 redirects"):
        downloader.fetch([one])


def test_the_first_failure_stops_the_others_and_keeps_what_is_done(download, downloader, blobs, server, faults):
    good, bad = download(b"good"), download(b"bad")
    slow = download(CONTENT)
    server.misbehave(slow.file.sha256.hex(), faults.stall)
    server.misbehave(bad.file.sha256.hex(), faults.status(404))
    downloader.fetch([good])
    with pytest.raises(NetworkError, match="HTTP 404"):
        downloader.fetch([slow, bad])
    assert blobs.is_intact(good.file)


@pytest.mark.guarantee("G12")
def test_a_full_disk_is_a_store_error_and_leaves_no_part(download, downloader, blobs, tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    one = download()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        downloader.fetch([one])
    assert parts(tmp_path) == []


def test_nothing_to_fetch_asks_nothing(downloader, server, tmp_path):
    downloader.fetch([])
    assert server.requests == []
    assert not (tmp_path / "parts").exists()
