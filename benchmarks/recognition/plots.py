"""Plots of an evaluation as SVG: text, and the same bytes for the same numbers.

`skuscan_models.reliability.diagram` draws the third kind.
"""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

WIDTH = 760  # px
LABELS = 230  # px, for the names of sets
ROW = 30  # px, a set
SIDE = 420  # px, of a curve's square
MARGIN = 52  # px, for the axes
PLOT = WIDTH - LABELS - MARGIN  # px, from 0 to 1
COLOURS = ("#0b6e4f", "#b8336a", "#1f5fa8", "#c77700", "#5b4b8a", "#6b705c", "#008b8b", "#8b4513")
PARTS = {"embedding": "#9bb8d3", "embedding_orb": "#1f5fa8", "decision": "#0b6e4f"}  # of the ablation
STYLE = "font-family:sans-serif;font-size:12px"


def recall_plot(rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """recall@1 of each set by each part of the way, with 95% intervals.

    Args:
        rows: Titles and reports of `summary`.
    """
    height = ROW * len(rows) + 2 * MARGIN
    body = [_text(LABELS + PLOT / 2, 20, "recall@1, 95% intervals", "middle"), *_vertical_grid(height)]
    for number, (name, colour) in enumerate(PARTS.items()):
        x = LABELS + number * 150
        body += [_dot(x, height - 14, colour), _text(x + 10, height - 10, name.replace("_orb", " + ORB"), "start")]
    for row, (title, report) in enumerate(rows):
        y = MARGIN + ROW * row + ROW / 2
        body.append(_text(LABELS - 12, y + 4, f"{title} (n = {report['n']})", "end"))
        for offset, (name, colour) in zip((-7, 0, 7), PARTS.items(), strict=True):
            part = report["ablation"][name]
            if part["recall_at_1"] is not None:
                low, high = (LABELS + PLOT * end for end in part["recall_at_1_interval"])
                body.append(_line(low, y + offset, high, y + offset, colour, 2))
                body.append(_dot(LABELS + PLOT * part["recall_at_1"], y + offset, colour))
    return _svg(WIDTH, height, body)


def coverage_plot(rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Precision against coverage over all thresholds; a ring marks the shipped ones.

    Args:
        rows: Titles and reports of `summary`.
    """
    body = [*_square_axes("coverage", "precision")]
    for number, (title, report) in enumerate(rows):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{_x(p['coverage']):.1f},{_y(p['precision']):.1f}" for p in report["coverage_curve"])
        body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if report["precision"] is not None:
            x, y = _x(report["coverage"]), _y(report["precision"])
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = MARGIN + 16 * number
        body += [_dot(SIDE + MARGIN + 20, y, colour), _text(SIDE + MARGIN + 30, y + 4, title, "start")]
    return _svg(WIDTH, SIDE + 2 * MARGIN, body)


def _square_axes(across: str, up: str) -> list[str]:
    body = [f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" fill="none" stroke="black"/>']
    for tenth in range(0, 11, 2):
        share = tenth / 10
        body += [
            _text(_x(share), SIDE + MARGIN + 16, f"{share:.1f}", "middle"),
            _text(MARGIN - 6, _y(share) + 4, f"{share:.1f}", "end"),
            _line(_x(0), _y(share), _x(1), _y(share), "#dddddd", 1),
        ]
    turned = f'transform="rotate(-90 14 {_y(0.5):.0f})"'
    body.append(_text(_x(0.5), SIDE + 2 * MARGIN - 12, across, "middle"))
    body.append(f'<text x="14" y="{_y(0.5):.0f}" text-anchor="middle" {turned}>{up}</text>')
    return body


def _vertical_grid(height: float) -> list[str]:
    body = []
    for tenth in range(0, 11, 2):
        x = LABELS + PLOT * tenth / 10
        body += [_line(x, MARGIN, x, height - MARGIN, "#dddddd", 1)]
        body += [_text(x, height - MARGIN + 16, f"{tenth / 10:.1f}", "middle")]
    return body


def _x(share: float) -> float:
    return MARGIN + SIDE * share


def _y(share: float) -> float:
    return MARGIN + SIDE * (1 - share)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: float, height: float, body: Sequence[str]) -> str:
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="{STYLE}">'
    return "\n".join([opening, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>\n"])
