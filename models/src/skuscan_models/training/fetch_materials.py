"""Fetches the fonts and the clip art that a run draws packaging with.

`materials.csv` lists the packages: where each lies, its SHA-256 and its licence. They come from Debian's archive and
from the npm registry, are checked before a byte of them is used, and leave only the files that are needed: font files
of the Latin alphabet, and pictures on a transparent ground, cropped and made small.
"""

import csv
import hashlib
import io
import re
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.errors import ModelError, PictureError
from skuscan_models.synthetic.materials import ART_FOLDER, FONT_FOLDER, Materials, load_materials

LIST_FILE = "materials.csv"
_TIMEOUT = 60  # seconds without a byte
_LONGEST_SIDE, _SHORTEST_LONG_SIDE = 200, 60  # px, of a picture
_LEAST_INK = 400  # px that are not transparent
_OPAQUE = 40  # of 255
_MOST_OBLONG = 4  # longest side against the shortest
_FONT_FILE = re.compile(r"-latin-(300|400|700|900)-normal\.woff2$")
_NO_ART = re.compile(  # signs, flags, toy themes, and emoji that differ in the colour of skin or hair only
    r"shapes/|special/|symbols|signs_and|flags|buttons|arrows|semaphore|stickmen|aiga|jigsaw|/led|-theme|_mirror"
    r"|1f3f[b-f]|1f1[ef]|1f9b[0-3]"
)
_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60  # Unix ar, in which a .deb is packed: deb(5)
_AR_NAME, _AR_SIZE = slice(0, 16), slice(48, 58)

Progress = Callable[[int], None]  # packages done


@dataclass(frozen=True)
class Package:
    """One line of `materials.csv`.

    Attributes:
        kind: `font` or `art`.
        name: Of its folder or its pictures.
        url: A .tgz of npm, or a .deb.
        sha256: Of that file, hex.
        licence: As the package states it; SPDX's name where there is one.
    """

    kind: str
    name: str
    url: str
    sha256: str
    licence: str


def packages() -> list[Package]:
    """The list."""
    lines = (resources.files("skuscan_models.training") / LIST_FILE).read_text().splitlines()
    return [Package(**row) for row in csv.DictReader(lines)]


def fetch_materials(wanted: Sequence[Package], folder: Path, progress: Progress) -> None:
    """Fetch every package that `folder` does not hold yet.

    Raises:
        ModelError: A package is not to be had, or is not the one of the list.
    """
    for number, package in enumerate(wanted):
        if not (done := _mark(folder, package)).exists():
            _unpack(package, _checked(package), folder)
            done.parent.mkdir(parents=True, exist_ok=True)
            done.touch()
        progress(number + 1)


def fetched_materials(folder: Path) -> Materials:
    """What `fetch_materials` fetched. Raises PictureError when a package is missing: a run would draw other brands."""
    missing = [package.name for package in packages() if not _mark(folder, package).exists()]
    if missing:
        advice = "fetch them with skuscan-models materials"
        raise PictureError("a run has all the materials of its list", f"{folder} without {missing[0]}", advice)
    return load_materials(folder)


def _mark(folder: Path, package: Package) -> Path:
    """A file that says that a package was unpacked."""
    return folder / "fetched" / package.sha256


def _checked(package: Package) -> bytes:
    try:
        with urllib.request.urlopen(package.url, timeout=_TIMEOUT) as answer:
            data: bytes = answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise ModelError("materials are fetched from the network", f"{package.url}: {error}", "try again") from error
    if (digest := hashlib.sha256(data).hexdigest()) != package.sha256:
        raise ModelError(f"{package.name} has SHA-256 {package.sha256}", digest)
    return data


def _unpack(package: Package, data: bytes, folder: Path) -> None:
    """Only files whose names are chosen here are written, never a path of the archive."""
    if package.kind == "font":
        target = folder / FONT_FOLDER / package.name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path, content in _files(data):
            if _FONT_FILE.search(path):
                (target / PurePosixPath(path).name).write_bytes(content)
        return
    target = folder / ART_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    wanted = (
        content for path, content in _files(data) if path.endswith((".png", ".webp")) and not _NO_ART.search(path)
    )
    cuttings = (cutting for content in wanted if (cutting := _cutting(content)) is not None)
    for number, cutting in enumerate(cuttings):
        cv2.imwrite(str(target / f"{package.name}-{number:05d}.png"), cutting)


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file, by path."""
    with tarfile.open(fileobj=io.BytesIO(_deb_data(data) if data.startswith(_AR_MAGIC) else data)) as archive:
        for member in sorted((m for m in archive if m.isfile()), key=lambda member: member.name):
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def _deb_data(deb: bytes) -> bytes:
    """The archive of files inside a .deb."""
    start = len(_AR_MAGIC)
    while start + _AR_HEADER <= len(deb):
        header = deb[start : start + _AR_HEADER]
        size, start = int(header[_AR_SIZE]), start + _AR_HEADER
        if header[_AR_NAME].startswith(b"data.tar"):
            return deb[start : start + size]
        start += size + size % 2
    raise ModelError("a .deb holds data.tar", "none")


def _cutting(encoded: bytes) -> npt.NDArray[np.uint8] | None:
    """(h, w, 4) BGR and opacity, cropped to its ink, made small; None for what has no transparent ground."""
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
        return None
    ink = (picture[..., 3] > _OPAQUE).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(ink)
    longest, shortest = max(width, height), min(width, height)
    if cv2.countNonZero(ink) < _LEAST_INK or longest < _SHORTEST_LONG_SIDE or longest > _MOST_OBLONG * shortest:
        return None
    cropped = picture[top : top + height, left : left + width]
    scale = min(1.0, _LONGEST_SIDE / longest)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(cropped, size, interpolation=cv2.INTER_AREA), np.uint8)
