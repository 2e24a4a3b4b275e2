"""Pictures: what simply works, what is refused and in which words, and what resizing gives."""

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skuscan.errors import PictureError
from skuscan.picture import DRAFT_LONGEST_SIDE, PictureLimits, fit_longest_side, letterbox, load_picture

LOSSY = 12  # grey levels by which JPEG and WebP may change a flat colour
ORIENTATION = 0x0112  # EXIF tag


def flag(height: int = 40, width: int = 60) -> np.ndarray:
    """Four quarters of plain colours: any turn or flip of it is another picture."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2] = (220, 20, 30)
    rgb[: height // 2, width // 2 :] = (20, 200, 40)
    rgb[height // 2 :, : width // 2] = (30, 40, 210)
    rgb[height // 2 :, width // 2 :] = (250, 240, 20)
    return rgb


def encode(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def assert_close(got: np.ndarray, expected: np.ndarray, tolerance: int = LOSSY) -> None:
    """The middle of each quarter agrees: edges differ by the codec's ringing."""
    assert got.shape == expected.shape
    assert got.dtype == np.uint8
    height, width = expected.shape[:2]
    for y, x in ((1, 1), (1, 3), (3, 1), (3, 3)):
        point = (y * height // 4, x * width // 4)
        assert np.abs(got[point].astype(int) - expected[point]).max() <= tolerance, point


COLOUR_FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encode(flag(), "JPEG", quality=95),
    "progressive jpeg": lambda: encode(flag(), "JPEG", quality=95, progressive=True),
    "cmyk jpeg": lambda: encode(Image.fromarray(flag()).convert("CMYK"), "JPEG", quality=95),
    "cmyk tiff": lambda: encode(Image.fromarray(flag()).convert("CMYK"), "TIFF"),
    "png": lambda: encode(flag(), "PNG"),
    "palette png": lambda: encode(Image.fromarray(flag()).quantize(8), "PNG"),
    "16-bit png": lambda: cv2.imencode(".png", flag()[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
    "16-bit tiff": lambda: cv2.imencode(".tiff", flag()[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
    "tiff": lambda: encode(flag(), "TIFF", compression="tiff_lzw"),
    "webp": lambda: encode(flag(), "WEBP", quality=95),
    "bmp": lambda: encode(flag(), "BMP"),
    "gif": lambda: encode(flag(), "GIF"),
    "animated gif": lambda: encode(
        Image.fromarray(flag()), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "black")]
    ),
    "animated webp": lambda: encode(
        Image.fromarray(flag()), "WEBP", save_all=True, append_images=[Image.new("RGB", (60, 40), "black")], quality=95
    ),
    "alpha png, opaque": lambda: encode(Image.fromarray(flag()).convert("RGBA"), "PNG"),
}


@pytest.mark.parametrize("kind", COLOUR_FILES)
def test_a_picture_of_any_usual_kind_simply_works(kind: str) -> None:
    assert_close(load_picture(COLOUR_FILES[kind]()), flag())


def test_an_adobe_cmyk_jpeg_is_not_a_negative() -> None:
    data = COLOUR_FILES["cmyk jpeg"]()
    assert b"Adobe" in data  # such files store inverted ink
    assert_close(load_picture(data), flag())


GREY = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[np.newaxis], 16, axis=0)
GREY_FILES: dict[str, Callable[[], bytes]] = {
    "grey png": lambda: encode(GREY, "PNG"),
    "grey bmp": lambda: encode(GREY, "BMP"),
    "16-bit grey png": lambda: cv2.imencode(".png", GREY.astype(np.uint16) * 257)[1].tobytes(),
    "16-bit grey tiff": lambda: cv2.imencode(".tiff", GREY.astype(np.uint16) * 257)[1].tobytes(),
    "grey with alpha": lambda: encode(Image.fromarray(GREY).convert("LA"), "PNG"),
}


@pytest.mark.parametrize("kind", GREY_FILES)
def test_grey_levels_are_kept_exactly(kind: str) -> None:
    got = load_picture(GREY_FILES[kind]())
    np.testing.assert_array_equal(got, np.repeat(GREY[..., np.newaxis], 3, axis=2))


def test_black_and_white_works() -> None:
    got = load_picture(encode(Image.fromarray(GREY > 127), "PNG"))
    np.testing.assert_array_equal(got[..., 0], np.where(GREY > 127, 255, 0))


def test_what_is_transparent_is_white() -> None:
    rgba = np.dstack([flag(), np.zeros((40, 60), np.uint8)])
    rgba[:20, ..., 3] = 255
    rgba[20:, :30, 3] = 128
    got = load_picture(encode(rgba, "PNG"))
    np.testing.assert_array_equal(got[:20], flag()[:20])
    np.testing.assert_allclose(got[30, 10], (30 + 255) // 2 * np.eye(3)[0] + [0, 147, 232], atol=2)
    assert (got[20:, 30:] == 255).all()


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.fromarray(flag()).quantize(4)
    index = image.getpixel((0, 0))
    for transparency in (index, bytes(0 if i == index else 255 for i in range(4))):
        got = load_picture(encode(image, "PNG", transparency=transparency))
        assert (got[5, 5] == 255).all()
        assert (got[35, 55] == flag()[35, 55]).all()


STORED = {  # EXIF 2.32: what the first row and the first column of the stored pixels are
    1: lambda up: up,  # top, left
    2: lambda up: up[:, ::-1],  # top, right
    3: lambda up: up[::-1, ::-1],  # bottom, right
    4: lambda up: up[::-1],  # bottom, left
    5: lambda up: up.transpose(1, 0, 2),  # left, top
    6: lambda up: up.transpose(1, 0, 2)[::-1],  # right, top
    7: lambda up: up[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: lambda up: up[::-1].transpose(1, 0, 2),  # left, bottom
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_comes_out_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = np.ascontiguousarray(STORED[orientation](flag()))
    assert_close(load_picture(encode(stored, kind, exif=exif)), flag())


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert_close(load_picture(encode(flag(), "JPEG", exif=exif)), flag())


def jpeg_with_damaged_exif() -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 1
    exif[0x010E] = "a long description of a product " * 4
    whole = exif.tobytes()
    return encode(flag(), "JPEG", quality=95, exif=whole[: len(whole) // 2])


def test_damaged_exif_costs_no_picture_and_no_warning() -> None:
    data = jpeg_with_damaged_exif()
    with pytest.warns(UserWarning, match=r".+"):  # Pillow itself warns
        Image.open(BytesIO(data)).getexif().get(ORIENTATION)
    assert_close(load_picture(data), flag())


def test_threads_decode_side_by_side_and_leave_the_warning_filters_alone() -> None:
    before = list(warnings.filters)
    data, expected, wrong = jpeg_with_damaged_exif(), load_picture(jpeg_with_damaged_exif()), []

    def work() -> None:
        for _ in range(20):
            try:
                if not np.array_equal(load_picture(data), expected):
                    wrong.append("other pixels")
            except PictureError as error:
                wrong.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert list(warnings.filters) == before


def test_a_path_a_string_bytes_and_an_array_are_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(COLOUR_FILES["png"]())
    for source in (path, str(path), path.read_bytes(), flag()):
        np.testing.assert_array_equal(load_picture(source), flag())


@pytest.mark.parametrize(("width", "height", "expected"), [(4000, 3000, 2000), (2559, 900, 2559), (2560, 90, 1280)])
def test_a_large_jpeg_keeps_at_least_twice_the_keypoint_side(width: int, height: int, expected: int) -> None:
    got = load_picture(encode(cv2.resize(flag(), (width, height)), "JPEG", quality=80))
    assert max(got.shape) == expected >= DRAFT_LONGEST_SIDE
    assert_close(got, cv2.resize(flag(), (got.shape[1], got.shape[0])))


# --- what is refused


@pytest.mark.parametrize("size", [(8000, 6000), (12_000, 12_000), (60_000, 60_000), (2**31 - 1, 1)])
def test_too_many_pixels_are_refused_by_the_header_alone(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "shelf.png"
    path.write_bytes(png_header(*size))
    with pytest.raises(PictureError, match=r"at most 25,000,000 pixels; received .*shelf\.png: .*; scale it down"):
        load_picture(path)


def test_the_largest_allowed_picture_is_decoded() -> None:
    assert load_picture(encode(flag(50, 50), "PNG"), PictureLimits(max_pixels=2500)).shape == (50, 50, 3)
    with pytest.raises(PictureError, match="at most 2,499 pixels; received 50 x 50"):
        load_picture(encode(flag(50, 50), "PNG"), PictureLimits(max_pixels=2499))


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(PictureError):
        load_picture(png_header(0, 10))
    with pytest.raises(PictureError, match="at least one pixel"):
        load_picture(np.zeros((0, 10, 3), np.uint8))


def test_too_many_bytes_are_refused_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.bmp"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 10_000_000_000)  # a sparse file: reading it whole would take the memory away
    with pytest.raises(PictureError, match=r"at most 100,000,000 bytes; received .*huge\.bmp"):
        load_picture(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_a_truncated_picture_is_refused(kind: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(noise, kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(PictureError, match=r"cut: .+"):
        load_picture(path)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "a picture has bytes"),
        (b"sku,name\n1,Oat drink\n", "a picture is one of Jpeg, Png, WebP, Tiff, Bmp, Gif"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a picture is one of"),  # Pillow would start Ghostscript
        (b"\x89PNG\r\n\x1a\n", "a picture is"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, rule: str) -> None:
    with pytest.raises(PictureError, match=rule):
        load_picture(data)


def test_a_picture_of_numbers_instead_of_colours_is_refused() -> None:
    with pytest.raises(PictureError, match="8 or 16 bits"):
        load_picture(encode(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_what_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = {"missing.jpg": "No such file", ".": "something else", "pipe": "something else", "nul\0": "null"}
    for name, reason in cases.items():
        with pytest.raises(PictureError, match=reason):
            load_picture(f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
)
def test_an_array_of_another_kind_is_refused(array: np.ndarray) -> None:
    with pytest.raises(PictureError, match=r"\(H, W, 3\) uint8 RGB"):
        load_picture(array)


def test_something_else_is_refused() -> None:
    with pytest.raises(PictureError, match="received int"):
        load_picture(7)  # type: ignore[arg-type]


SEEDS = [COLOUR_FILES[kind]() for kind in ("jpeg", "png", "palette png", "webp", "tiff", "bmp", "animated gif")]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6), st.data())
def test_damaged_bytes_give_a_picture_or_a_picture_error(
    data: bytes, changes: list[tuple[int, int]], draw: st.DataObject
) -> None:
    damaged = bytearray(data[: draw.draw(st.integers(1, len(data)))])
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        got = load_picture(bytes(damaged), PictureLimits(max_pixels=1_000_000))
    except PictureError:
        return
    assert got.ndim == 3
    assert got.shape[2] == 3
    assert got.dtype == np.uint8


# --- resizing


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 256))
def test_the_longest_side_becomes_exactly_as_long_as_asked(height: int, width: int, side: int) -> None:
    got = fit_longest_side(np.zeros((height, width, 3), np.uint8), side)
    assert max(got.shape[:2]) == side
    assert min(got.shape[:2]) >= 1
    assert abs(min(got.shape[:2]) - side * min(height, width) / max(height, width)) <= 1


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    rgb = flag()
    assert fit_longest_side(rgb, 60) is rgb


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (50, 50), (1, 5000), (5000, 1), (1, 1)])
@pytest.mark.parametrize("fill", [1.0, 0.75])
def test_a_letterbox_is_a_centred_square(shape: tuple[int, int], fill: float) -> None:
    square = letterbox(np.full((*shape, 3), 200, np.uint8), 224, 127, fill)
    assert square.shape == (224, 224, 3)
    inside = (square == 200).all(axis=2)
    assert (inside | (square == 127).all(axis=2)).all()
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    for span in (rows, columns):
        assert abs(span[0] - (223 - span[-1])) <= 1
    assert max(len(rows), len(columns)) == 224 * fill
