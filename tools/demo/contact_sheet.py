"""One picture of all answers: each photo beside the catalogue picture that the device answered with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

PHOTO = (240, 240)  # px, the box that a photo is fitted into
ANSWER = (150, 200)  # px
CAPTION = 56  # px
GAP = 14  # px
COLUMNS = 4
TITLE_SIZE, TEXT_SIZE = 17, 13  # px
JPEG_QUALITY = 88
COLOURS = {"match": (0, 122, 61), "ambiguous": (184, 96, 0), "unknown": (96, 96, 96)}
INK = (24, 32, 38)


def write_contact_sheet(path: Path, answers: Sequence[dict[str, Any]], images: Path) -> Path:
    """Write the sheet.

    Args:
        path: A .jpg to write.
        answers: As `skuscan identify --json` gives them.
        images: Folder of the catalogue's pictures, `<sku>.jpg`.
    """
    cell = (PHOTO[0] + ANSWER[0] + 2 * GAP, PHOTO[1] + CAPTION + GAP)
    rows = -(-len(answers) // COLUMNS)
    sheet = Image.new("RGB", (cell[0] * COLUMNS + GAP, cell[1] * rows + GAP), "white")
    for number, answer in enumerate(answers):
        corner = (GAP + cell[0] * (number % COLUMNS), GAP + cell[1] * (number // COLUMNS))
        _draw_cell(sheet, corner, answer, images)
    sheet.save(path, quality=JPEG_QUALITY)
    return path


def _draw_cell(sheet: Image.Image, corner: tuple[int, int], answer: dict[str, Any], images: Path) -> None:
    (x, y), draw = corner, ImageDraw.Draw(sheet)
    _paste(sheet, Path(answer["file"]), (x, y), PHOTO)
    right = x + PHOTO[0] + GAP // 2
    if answer["decision"] == "match":
        _paste(sheet, images / f"{answer['sku']}.jpg", (right, y), ANSWER)
    elif answer["decision"] == "unknown":
        font = ImageFont.load_default(ANSWER[1] // 2)
        draw.text((right + ANSWER[0] / 2, y + ANSWER[1] / 2), "?", fill=(190, 190, 190), font=font, anchor="mm")
    said = f"{answer['decision']} {answer['probability']:.2f}"
    draw.text((x, y + PHOTO[1] + 4), said, fill=COLOURS[answer["decision"]], font=ImageFont.load_default(TITLE_SIZE))
    text = answer["name"] or ", ".join(answer["skus"]) or "not in the catalogue"
    draw.text((x, y + PHOTO[1] + 28), text[:48], fill=INK, font=ImageFont.load_default(TEXT_SIZE))


def _paste(sheet: Image.Image, source: Path, corner: tuple[int, int], box: tuple[int, int]) -> None:
    with Image.open(source) as picture:
        small = picture.convert("RGB")
    small.thumbnail(box)
    sheet.paste(small, (corner[0] + (box[0] - small.width) // 2, corner[1] + (box[1] - small.height) // 2))
