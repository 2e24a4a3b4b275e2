"""Blobs are what they are named by."""

import pytest

from skuscan.errors import StoreError
from skuscan.model import file_ref
from skuscan.store.blobs import BlobFolder


@pytest.fixture
def blobs(tmp_path):
    return BlobFolder(tmp_path)


def test_a_blob_lies_where_its_digest_says(blobs, tmp_path):
    ref = blobs.put(b"data")
    name = ref.sha256.hex()
    assert blobs.path(ref) == tmp_path / "sha256" / name[:2] / name
    assert blobs.read(ref) == b"data"
    assert list(blobs.files()) == [blobs.path(ref)]


def test_putting_again_writes_nothing_but_repairs(blobs):
    ref = blobs.put(b"data")
    inode = blobs.path(ref).stat().st_ino
    blobs.put(b"data")
    assert blobs.path(ref).stat().st_ino == inode
    blobs.path(ref).write_bytes(b"dote")
    blobs.put(b"data")
    assert blobs.read(ref) == b"data"


@pytest.mark.guarantee("G11")
@pytest.mark.parametrize("harm", [b"", b"dat", b"data!", b"dote"])
def test_a_damaged_blob_is_never_read(harm, blobs):
    ref = blobs.put(b"data")
    blobs.path(ref).write_bytes(harm)
    with pytest.raises(StoreError):
        blobs.read(ref)
    with pytest.raises(StoreError):
        blobs.check(ref)
    assert not blobs.is_intact(ref)


def test_a_missing_blob_is_said(blobs):
    ref = file_ref(b"data")
    assert not blobs.has(ref)
    with pytest.raises(StoreError):
        blobs.read(ref)
    blobs.remove(ref)


def test_a_download_becomes_a_blob_when_it_is_the_right_one(blobs, tmp_path):
    download = tmp_path / "download"
    download.write_bytes(b"data")
    with pytest.raises(StoreError, match="fetch it again"):
        blobs.adopt(download, file_ref(b"other"))
    assert download.exists()
    blobs.adopt(download, file_ref(b"data"))
    assert not download.exists()
    assert blobs.read(file_ref(b"data")) == b"data"
