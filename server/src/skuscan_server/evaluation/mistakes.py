"""The page of the worst mistakes: query, what was answered and what was right, side by side.

An HTML file with small copies of the pictures beside it; the answer's print is outlined in the query where it was
found. It shows a user's own pictures, so it goes to a folder that nobody publishes.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from skuscan.picture import fit_longest_side, load_picture
from skuscan_server.evaluation.outcome import QueryOutcome

THUMBNAIL_PX = 240  # longest side
OUTLINE_PX = 3  # width of the line
OUTLINE_COLOUR = (176, 0, 32)
JPEG_QUALITY = 80

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.4 sans-serif;margin:2em;max-width:60em}}td{{padding:.5em;vertical-align:top}}
img{{max-width:240px;display:block}}small{{color:#555}}.match{{color:#b00020}}</style>
<h1>{title}</h1><p>{count} mistakes, the most confident first.</p>
<table><tr><th>query</th><th>answered</th><th>right</th></tr>{rows}</table></html>"""


@dataclass(frozen=True)
class Mistake:
    """One wrong answer.

    Attributes:
        query: The picture asked about.
        decision: What was decided; a wrong `match` is worst.
        probability: Of the answer, 0..1.
        answered: SKU and reference picture of the first answer; None when there was none.
        truth: SKU and reference picture of the right one; None for a negative.
        outline: Where the answer's print was found, corners in px of the query; empty: nowhere.
    """

    query: Path
    decision: str
    probability: float
    answered: tuple[str, Path] | None
    truth: tuple[str, Path] | None
    outline: tuple[tuple[float, float], ...] = ()


def mistakes_of(outcomes: Iterable[QueryOutcome], pictures: Mapping[str, Path]) -> list[Mistake]:
    """The wrong first answers to queries, and the matches of negatives.

    Args:
        outcomes: Of pictures that are files.
        pictures: SKU or group -> a reference picture.
    """
    return [
        Mistake(
            query=Path(outcome.name),
            decision=outcome.decision,
            probability=outcome.probability,
            answered=(outcome.ranked[0], pictures[outcome.ranked[0]]) if outcome.ranked else None,
            truth=(outcome.truth, pictures[outcome.truth]) if outcome.truth else None,
            outline=outcome.outline,
        )
        for outcome in outcomes
        if (not outcome.right if outcome.truth else outcome.decision == "match")
    ]


def write_page(folder: Path, title: str, mistakes: Sequence[Mistake], most: int = 60) -> Path:
    """Write `index.html` and its thumbnails; returns the page. Wrong matches come first, then by probability."""
    folder.mkdir(parents=True, exist_ok=True)
    worst = sorted(mistakes, key=lambda m: (m.decision != "match", -m.probability))[:most]
    rows = "".join(_row(folder, number, mistake) for number, mistake in enumerate(worst))
    page = folder / "index.html"
    page.write_text(_PAGE.format(title=html.escape(title), count=len(mistakes), rows=rows), encoding="utf-8")
    return page


def _row(folder: Path, number: int, mistake: Mistake) -> str:
    said = f'<b class="{mistake.decision}">{mistake.decision}</b> {mistake.probability:.2f}'
    query = _picture(folder, f"{number}-query", mistake.query, mistake.query.name, mistake.outline)
    answered = (
        _picture(folder, f"{number}-answer", mistake.answered[1], mistake.answered[0]) if mistake.answered else "-"
    )
    truth = _picture(folder, f"{number}-truth", mistake.truth[1], mistake.truth[0]) if mistake.truth else "nothing"
    return f"<tr><td>{query}{said}</td><td>{answered}</td><td>{truth}</td></tr>"


def _picture(folder: Path, name: str, source: Path, caption: str, outline: Sequence[tuple[float, float]] = ()) -> str:
    picture = load_picture(source)
    small = Image.fromarray(fit_longest_side(picture, THUMBNAIL_PX))
    if outline:
        scale = small.width / picture.shape[1]
        corners = [(x * scale, y * scale) for x, y in (*outline, outline[0])]
        ImageDraw.Draw(small).line(corners, fill=OUTLINE_COLOUR, width=OUTLINE_PX, joint="curve")
    small.save(folder / f"{name}.jpg", quality=JPEG_QUALITY)
    return f'<img src="{name}.jpg" alt=""><small>{html.escape(caption)}</small><br>'
