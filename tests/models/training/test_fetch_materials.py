"""Packages as npm and Debian make them, fetched from files."""

import hashlib
import io
import lzma
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from skuscan.errors import ModelError, PictureError
from skuscan_models.synthetic.materials import PLAIN
from skuscan_models.training.fetch_materials import Package, fetch_materials, fetched_materials, packages


def encoded(height: int, width: int, ink: tuple[slice, slice] | None = None) -> bytes:
    """A PNG on a transparent ground, black where `ink` says, or everywhere."""
    picture = np.zeros((height, width, 4), np.uint8)
    picture[ink or (slice(None), slice(None))] = (0, 0, 0, 255)
    return cv2.imencode(".png", picture)[1].tobytes()


def tar(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def deb(data: bytes) -> bytes:
    """As deb(5) says: debian-binary, control.tar, data.tar, each padded to an even length."""
    parts = (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", data))
    packed = b"!<arch>\n"
    for name, content in parts:
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        packed += b"\n" * (len(content) % 2)
    return packed


def package(folder: Path, kind: str, name: str, data: bytes) -> Package:
    path = folder / f"{name}.package"
    path.write_bytes(data)
    return Package(kind, name, path.as_uri(), hashlib.sha256(data).hexdigest(), "MIT")


def fetch(folder: Path, *wanted: Package) -> list[int]:
    done: list[int] = []
    fetch_materials(wanted, folder, done.append)
    return done


def test_fonts_of_the_latin_alphabet_are_kept_under_their_own_names(tmp_path: Path) -> None:
    names = ("a-latin-400-normal.woff2", "a-latin-700-normal.woff2", "a-latin-400-italic.woff2", "a-greek-400.woff2")
    files = {f"package/../../{name}": name.encode() for name in names}
    assert fetch(tmp_path / "out", package(tmp_path, "font", "a", tar(files))) == [1]
    kept = sorted((tmp_path / "out" / "fonts" / "a").iterdir())
    assert [path.name for path in kept] == list(names[:2])
    assert kept[0].read_bytes() == names[0].encode()


def test_pictures_are_cropped_to_their_ink_and_made_small(tmp_path: Path) -> None:
    files = {
        "b/large.png": encoded(600, 500, (slice(100, 500), slice(50, 350))),
        "b/signs_and_symbols/stop.png": encoded(100, 100),
        "b/thin.png": encoded(10, 100),
        "b/tiny.png": encoded(30, 30),
        "b/broken.png": b"no picture",
        "a/first.png": encoded(90, 80),
    }
    data = deb(lzma.compress(tar(files, "w")))
    fetch(tmp_path / "out", package(tmp_path, "art", "art", data))
    kept = sorted((tmp_path / "out" / "art").iterdir())
    assert [path.name for path in kept] == ["art-00000.png", "art-00001.png"]
    shapes = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape for path in kept]
    assert shapes == [(90, 80, 4), (200, 150, 4)]


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    wanted = package(tmp_path, "font", "a", tar({"a-latin-400-normal.woff2": b"font"}))
    fetch(tmp_path / "out", wanted)
    Path(wanted.url.removeprefix("file://")).unlink()
    assert fetch(tmp_path / "out", wanted) == [1]


def test_another_package_than_the_listed_one_is_not_unpacked(tmp_path: Path) -> None:
    wanted = package(tmp_path, "font", "a", tar({"a-latin-400-normal.woff2": b"font"}))
    Path(wanted.url.removeprefix("file://")).write_bytes(b"other")
    with pytest.raises(ModelError, match="a has SHA-256"):
        fetch(tmp_path / "out", wanted)
    assert not (tmp_path / "out").exists()


def test_without_a_network_the_package_is_named(tmp_path: Path) -> None:
    missing = Package("font", "a", "http://127.0.0.1:9/a.tgz", "0" * 64, "MIT")
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/a\.tgz"):
        fetch(tmp_path, missing)


def test_a_deb_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a \.deb holds data\.tar"):
        fetch(tmp_path / "out", package(tmp_path, "art", "art", b"!<arch>\n"))


def test_every_line_of_the_list_is_pinned_and_says_its_licence() -> None:
    listed = packages()
    assert {each.kind for each in listed} == {"font", "art"}
    assert {each.licence for each in listed} <= {"OFL-1.1", "Apache-2.0", "MIT", "public domain"}
    assert len({each.name for each in listed}) == len(listed)
    for each in listed:
        assert re.fullmatch(r"[0-9a-f]{64}", each.sha256)
        assert re.fullmatch(r"https?://(registry\.npmjs\.org|deb\.debian\.org)/.+\.(tgz|deb)", each.url)


def test_a_folder_without_some_package_of_the_list_is_refused(tmp_path: Path) -> None:
    first, *others = packages()
    (tmp_path / "fetched").mkdir()
    for each in others:
        (tmp_path / "fetched" / each.sha256).touch()
    with pytest.raises(PictureError, match=f"without {first.name}"):
        fetched_materials(tmp_path)
    (tmp_path / "fetched" / first.sha256).touch()
    assert fetched_materials(tmp_path) == PLAIN
