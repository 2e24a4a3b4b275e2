"""Draws an answer for people: the photo with the outline of what was recognised, beside the display picture.

Colours repeat what the text says, never alone: the decision is written out.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from skuscan.catalogue import Catalogue
from skuscan.errors import StoreError
from skuscan.picture import fit_longest_side, load_picture
from skuscan.recognition import Recognition

PANEL_PX = 480  # longest side of the photo
DISPLAY_PX = 240  # longest side of the display picture
MARGIN_PX = 16
LINE_PX = 5  # width of the outline
TEXT_PX = 20
SMALL_PX = 15
CAPTION_PX = 110  # height of the text under the display picture
JPEG_QUALITY = 88
COLOURS = {"match": (0, 122, 61), "ambiguous": (184, 96, 0), "unknown": (96, 96, 96)}
INK = (24, 32, 38)

Pixels = npt.NDArray[np.uint8]


def write_answer(path: Path, photo: Pixels, recognition: Recognition, catalogue: Catalogue) -> None:
    """Draw an answer into a JPEG file; its folder is made. Raises StoreError when it cannot be written."""
    display = catalogue.display_file(recognition.candidates[0].sku) if recognition.candidates else None
    sheet = Image.fromarray(draw_answer(photo, recognition, display))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, quality=JPEG_QUALITY)
    except OSError as error:
        raise StoreError("the folder for drawings can be written", f"{path}: {error.strerror}") from error


def draw_answer(photo: Pixels, recognition: Recognition, display: Path | None) -> Pixels:
    """One sheet: photo with outline | display picture, name, decision.

    Args:
        photo: (H, W, 3) uint8 RGB, the array that was identified.
        recognition: Its answer.
        display: The display picture of the first candidate; None: none is stored.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    colour = COLOURS[recognition.decision.kind]
    left = Image.fromarray(fit_longest_side(photo, PANEL_PX))
    best = recognition.candidates[0] if recognition.candidates else None
    if best is not None and best.outline is not None and recognition.decision.kind != "unknown":
        scale = left.width / photo.shape[1]
        corners = [(float(x) * scale, float(y) * scale) for x, y in best.outline]
        ImageDraw.Draw(left).line([*corners, corners[0]], fill=colour, width=LINE_PX, joint="curve")
    sheet = Image.new("RGB", _sheet_size(left), "white")
    sheet.paste(left, (MARGIN_PX, MARGIN_PX))
    column = PANEL_PX + 2 * MARGIN_PX
    if display is not None and recognition.decision.kind != "unknown":
        sheet.paste(Image.fromarray(fit_longest_side(load_picture(display), DISPLAY_PX)), (column, MARGIN_PX))
    _caption(ImageDraw.Draw(sheet), (column, MARGIN_PX * 2 + DISPLAY_PX), recognition, colour)
    return np.asarray(sheet)


def _sheet_size(left: Image.Image) -> tuple[int, int]:
    height = max(left.height, DISPLAY_PX + MARGIN_PX + CAPTION_PX) + 2 * MARGIN_PX
    return PANEL_PX + DISPLAY_PX + 3 * MARGIN_PX, height


def _caption(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], recognition: Recognition, colour: tuple[int, int, int]
) -> None:
    decision, (x, y) = recognition.decision, corner
    large, small = ImageFont.load_default(TEXT_PX), ImageFont.load_default(SMALL_PX)
    draw.text((x, y), decision.kind, fill=colour, font=large)
    lines = [f"probability {decision.probability:.2f}"]
    if decision.kind != "unknown" and recognition.candidates:
        best = recognition.candidates[0]
        lines = [_cut(best.name or best.sku, small), best.sku, *lines]
    for number, line in enumerate(lines, 1):
        draw.text((x, y + TEXT_PX * 1.3 * number), line, fill=INK, font=small)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shorten a line to the column's width."""
    while font.getlength(text) > DISPLAY_PX and len(text) > 4:
        text = text[:-4].rstrip() + "..."
    return text
