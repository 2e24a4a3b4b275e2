"""From a flat front to a package on white: boxes, cartons, bags, pouches, cans and bottles, with light and shade."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from skuscan_models.synthetic.canvas import (
    BLACK,
    WHITE,
    Colour,
    Mask,
    Picture,
    Points,
    blank,
    ellipse_points,
    exact_remap,
    fill,
    gradient,
    mix,
    new_mask,
    paint,
    rounded_rectangle,
    shade,
    stroke,
    warp,
)
from skuscan_models.synthetic.palette import SILVER
from skuscan_models.synthetic.themes import Kind

Rng = np.random.Generator

_MARGIN = 18  # px of white round a package
_RIM: Colour = (96, 96, 100)
_RIM_OPACITY = 0.3
_CAPS: tuple[Colour, ...] = (
    (214, 218, 222),
    (40, 40, 44),
    (214, 40, 48),
    (40, 110, 190),
    (60, 150, 70),
    (206, 164, 72),
)


def front_size(kind: Kind, rng: Rng) -> tuple[int, int]:
    """Height and width of a package's flat front, px: the longer of the two is 440 to 600."""
    least, greatest = _ASPECTS[kind]
    aspect, longest = rng.uniform(least, greatest), rng.uniform(520, 600) * _FRONT_SHARE[kind]
    height, width = (longest, longest * aspect) if aspect <= 1 else (longest / aspect, longest)
    return round(height), round(width)


def package(kind: Kind, front: Picture, rng: Rng, colour: Colour, accent: Colour) -> Picture:
    """The package on white.

    Args:
        kind: Its shape.
        front: (H, W, 3) uint8, the flat front or label.
        rng: The brand's generator; it draws the same numbers whatever the colours.
        colour: Of parts without print: a bottle's body, a carton's roof.
        accent: Of small parts.

    Returns:
        (H', W', 3) uint8; the background is exactly white.
    """
    return _SHAPES[kind](front, rng, colour, accent)


# --- Flat-sided -----------------------------------------------------------------------------------------------------


def _box(front: Picture, rng: Rng, colour: Colour, accent: Colour) -> Picture:
    """From the front, or turned a little so that a side shows."""
    height, width = front.shape[:2]
    turned, right, depth, rise = (
        rng.random() < 0.45,
        bool(rng.integers(2)),
        rng.uniform(0.07, 0.2),
        rng.uniform(0.01, 0.05),
    )
    _light(front, rng, 0.12)
    if not turned:
        return _framed(front, np.full(front.shape[:2], 255, np.uint8))
    deep, lift = depth * width, rise * height
    canvas = blank(height, round(width + deep), WHITE)
    mask = new_mask(canvas)
    # The front's far edge and the side's far edge are further away, so they are shorter.
    left, seam, end = 0.0, width - 0.15 * deep, width + deep
    _warp(canvas, mask, front, [(left, 0), (seam, lift * 0.4), (seam, height - lift * 0.4), (left, height)], not right)
    side = _edge_colours(front, right)
    _warp(
        canvas,
        mask,
        side,
        [(seam, lift * 0.4), (end, lift * 1.6), (end, height - lift * 1.6), (seam, height - lift * 0.4)],
        not right,
    )
    return _framed(canvas, mask)


def _edge_colours(front: Picture, right: bool) -> Picture:
    """A plain side that goes on from the front's edge, darker."""
    line = np.median(front[:, -6:] if right else front[:, :6], axis=1)
    fading = np.linspace(0.8, 0.62, 40) if right else np.linspace(0.62, 0.8, 40)
    side = np.broadcast_to(line[:, None], (front.shape[0], 40, 3)) * fading[None, :, None]
    return side.astype(np.uint8)


def _carton(front: Picture, rng: Rng, colour: Colour, accent: Colour) -> Picture:
    """A drink's carton: a gabled roof with its seam, a screw cap on most."""
    height, width = front.shape[:2]
    roof, shrink, seam = (
        rng.uniform(0.13, 0.2) * height,
        rng.uniform(0.04, 0.14) * width,
        rng.uniform(0.03, 0.05) * height,
    )
    capped, cap = rng.random() < 0.65, _CAPS[int(rng.integers(len(_CAPS)))]
    _light(front, rng, 0.12)
    top = round(roof + seam)
    canvas = blank(height + top, width, WHITE)
    mask = new_mask(canvas)
    slope = np.array([(0, top), (width, top), (width - shrink, seam), (shrink, seam)])
    ridge = np.array([(shrink, seam), (width - shrink, seam), (width - shrink, 0), (shrink, 0)])
    for outline, tone in ((slope, mix(colour, BLACK, 0.18)), (ridge, mix(colour, WHITE, 0.25))):
        fill(canvas, outline, tone)
        fill(mask, outline, 255)
    canvas[top:], mask[top:] = front, 255
    stroke(canvas, [(0, top), (width, top)], mix(colour, BLACK, 0.35), 2)
    stroke(canvas, [(0, top), (width / 2, seam + roof * 0.35), (width, top)], mix(colour, BLACK, 0.28), 2)
    if capped:
        radius = width * 0.14
        centre = (width / 2, top - roof * 0.42)
        fill(canvas, ellipse_points((centre[0], centre[1] + 5), (radius, radius * 0.9)), mix(cap, BLACK, 0.4))
        fill(canvas, ellipse_points(centre, (radius, radius * 0.86)), cap)
        fill(canvas, ellipse_points(centre, (radius * 0.75, radius * 0.62)), mix(cap, WHITE, 0.25))
    return _framed(canvas, mask)


# --- Soft -----------------------------------------------------------------------------------------------------------


def _bag(front: Picture, rng: Rng, colour: Colour, accent: Colour) -> Picture:
    """A pillow bag: crimped seams above and below, waisted sides, creases."""
    width = front.shape[1]
    bulge, teeth, crimp = (
        rng.uniform(0.01, 0.035) * width,
        int(rng.integers(18, 40)),
        round(rng.uniform(0.03, 0.05) * front.shape[0]),
    )
    tone = SILVER if rng.random() < 0.4 else mix(colour, WHITE, 0.2)
    sheet = cv2.copyMakeBorder(front, crimp, crimp, 0, 0, cv2.BORDER_CONSTANT, value=tone).astype(np.uint8, copy=False)
    height = sheet.shape[0]
    for top in (0, height - crimp):
        for y in np.arange(top + 2, top + crimp - 1, 4):
            stroke(sheet, [(0, y), (width, y)], mix(tone, BLACK, 0.22), 1)
    _soft_light(sheet, rng)
    x = np.linspace(0, width, 2 * teeth + 1)
    zigzag = 5.0 * (np.arange(len(x)) % 2)
    y = np.linspace(0, height, 24)
    waist = bulge * np.sin(2 * np.pi * y / height) ** 2
    upper, lower = np.stack([x, zigzag], 1), np.stack([x, height - zigzag], 1)[::-1]
    outline = np.concatenate([upper, np.stack([width - waist, y], 1)[1:-1], lower, np.stack([waist, y], 1)[::-1][1:-1]])
    return _cut_to(sheet, outline)


def _pouch(front: Picture, rng: Rng, colour: Colour, accent: Colour) -> Picture:
    """A stand-up pouch: a head with its zip, round lower corners, a gusset."""
    width = front.shape[1]
    corner, hole, flare = rng.uniform(0.06, 0.14) * width, rng.random() < 0.5, rng.uniform(0.0, 0.05)
    head, tone = round(rng.uniform(0.07, 0.12) * front.shape[0]), (colour, accent)[int(rng.integers(2))]
    sheet = cv2.copyMakeBorder(front, head, 0, 0, 0, cv2.BORDER_CONSTANT, value=tone).astype(np.uint8, copy=False)
    height = sheet.shape[0]
    for share in (0.62, 0.74, 0.97):
        stroke(sheet, [(0, share * head), (width, share * head)], mix(tone, BLACK, 0.35), 1.5)
    if hole:
        fill(sheet, ellipse_points((width / 2, head * 0.32), (width * 0.05, height * 0.012)), mix(tone, BLACK, 0.7))
    _soft_light(sheet, rng)
    x = np.linspace(0, width, 30)
    gusset = height - 0.08 * height * np.sin(np.pi * x / width)
    stroke(sheet, np.stack([x, gusset], 1), mix(colour, BLACK, 0.3), 2)
    inset = flare * width
    right = [
        (width - inset, 0),
        (width - inset * 0.4, 0.3 * height),
        (width, 0.6 * height),
        (width, height - corner),
        (width - corner * 0.3, height - corner * 0.3),
        (width - corner, height),
    ]
    return _cut_to(sheet, np.array(right + [(width - px, py) for px, py in reversed(right)]))


def _soft_light(front: Picture, rng: Rng) -> None:
    """Light on a filled bag: bright along one side of the middle, dark to the seams, creases near the ends."""
    height, width = 48, 36
    x, y = np.linspace(-1, 1, width)[None], np.linspace(-1, 1, height)[:, None]
    middle = rng.uniform(-0.4, 0.4)
    light = 1.06 - 0.22 * (x - middle) ** 2 - 0.1 * y**2 + 0.12 * np.exp(-(((x - middle - 0.15) / 0.12) ** 2))
    for _ in range(int(rng.integers(4, 11))):
        cx, end, lean, wide = (
            rng.uniform(-0.9, 0.9),
            rng.choice((-1.0, 1.0)),
            rng.normal(0, 0.6),
            rng.uniform(0.05, 0.12),
        )
        along = np.clip(1 - np.abs(y - end) / rng.uniform(0.25, 0.7), 0, 1)
        light = light + rng.choice((-0.12, 0.12)) * along * np.exp(-(((x - cx - lean * (y - end)) / wide) ** 2))
    shade(front, np.broadcast_to(light, (height, width)).astype(np.float32))


# --- Round ----------------------------------------------------------------------------------------------------------


def _can(front: Picture, rng: Rng, colour: Colour, accent: Colour) -> Picture:
    """A can, a jar or a tube, seen from slightly above."""
    curve, tall, metal = rng.uniform(0.03, 0.06), rng.uniform(0.01, 0.05), rng.random() < 0.7
    lid = SILVER if metal else accent
    body, mask, drop = _wrapped(front, curve, rng)
    height, width = mask.shape
    rim = round(tall * height)
    canvas = blank(height + 2 * rim + drop, width, WHITE)
    outer = new_mask(canvas)
    middle, half, lip = width / 2, width / 2, drop + rim
    # Below the label and above it stands a ring of the lid's material.
    sheath = blank(canvas.shape[0], width, mix(lid, BLACK, 0.1))
    shade(sheath, _round_light(width))
    for level in (drop, canvas.shape[0] - drop):
        fill(outer, ellipse_points((middle, level), (half, drop), count=60), 255)
    outer[drop : canvas.shape[0] - drop] = 255
    paint(canvas, outer, sheath)
    paint(canvas[lip : lip + height], mask[: canvas.shape[0] - lip], body[: canvas.shape[0] - lip])
    for grow, tone in (
        (1.0, mix(lid, BLACK, 0.25)),
        (0.97, mix(lid, WHITE, 0.5)),
        (0.88, mix(lid, BLACK, 0.15)),
        (0.84, lid),
    ):
        fill(canvas, ellipse_points((middle, drop), (half * grow, drop * grow), count=60), tone)
    return _framed(canvas, outer)


def _bottle(front: Picture, rng: Rng, colour: Colour, accent: Colour) -> Picture:
    """A bottle whose body stands above and below its wrapped label."""
    shoulder, neck, neck_width, foot = (
        rng.uniform(0.12, 0.42),
        rng.uniform(0.08, 0.22),
        rng.uniform(0.2, 0.46),
        rng.uniform(0.05, 0.16),
    )
    inset, curve, cap = rng.uniform(0.0, 0.03), rng.uniform(0.0, 0.03), _CAPS[int(rng.integers(len(_CAPS)))]
    clear, cap_tall = rng.random() < 0.5, rng.uniform(0.05, 0.1)
    label, mask, _ = _wrapped(front, curve, rng)
    height, width = mask.shape
    body_width = width * (1 + 2 * inset)
    levels = np.cumsum(np.array((cap_tall, neck, shoulder, 1.0, foot)) * height)
    canvas = blank(round(levels[-1]), round(body_width), WHITE)
    middle, half, slim = body_width / 2, body_width / 2, body_width * neck_width / 2
    y_cap, y_neck, y_shoulder, y_label, y_foot = levels.tolist()
    right = [
        (slim, y_cap * 0.6),
        (slim, y_neck),
        (slim * 1.15, y_neck + 0.15 * (y_shoulder - y_neck)),
        (half * 0.96, y_shoulder - 0.2 * (y_shoulder - y_neck)),
        (half, y_shoulder),
        (half, y_label),
        (half, y_foot - 8),
        (half - 8, y_foot),
    ]
    outline = np.array([(middle + x, y) for x, y in right] + [(middle - x, y) for x, y in reversed(right)])
    outer = new_mask(canvas)
    fill(outer, outline, 255)
    glass = mix(colour, WHITE, 0.35) if clear else colour
    body = gradient(canvas.shape[0], canvas.shape[1], mix(glass, WHITE, 0.15), mix(glass, BLACK, 0.1))
    shade(body, _round_light(canvas.shape[1]))
    paint(canvas, outer, body)
    left, top = round((body_width - width) / 2), round(y_shoulder)
    paint(
        canvas[top : top + height, left : left + width], mask[: canvas.shape[0] - top], label[: canvas.shape[0] - top]
    )
    tip = rounded_rectangle(middle - slim * 1.12, 0, middle + slim * 1.12, y_cap, 5)
    lid = blank(canvas.shape[0], canvas.shape[1], cap)
    shade(lid, _round_light(canvas.shape[1], float(slim * 1.12 / half)))
    cap_mask = new_mask(canvas)
    fill(cap_mask, tip, 255)
    paint(canvas, cap_mask, lid)
    return _framed(canvas, np.maximum(outer, cap_mask))


def _wrapped(front: Picture, curve: float, rng: Rng) -> tuple[Picture, Mask, int]:
    """A front on a cylinder, its mask, and how far its middle hangs below its edges, px."""
    height, width = front.shape[:2]
    drop = round(curve * width)
    x = np.linspace(-0.985, 0.985, width)
    across = (np.arcsin(x) / np.arcsin(0.985) * 0.5 + 0.5) * (width - 1)
    hang = drop * np.sqrt(1 - x**2)
    down = np.arange(height + drop)[:, None] - hang[None]
    body = exact_remap(front, np.broadcast_to(across, down.shape), down)
    mask = np.where((down >= 0) & (down <= height - 1), 255, 0).astype(np.uint8)
    shade(body, _round_light(width, gloss=rng.uniform(0.0, 0.35)))
    return body, mask, drop


def _round_light(width: int, share: float = 1.0, gloss: float = 0.2) -> npt.NDArray[np.float32]:
    """Light across a cylinder in the middle of a picture, (1, width) float32."""
    x = np.clip(np.linspace(-1, 1, width) / share, -1, 1)
    light = (
        0.5 + 0.58 * np.sqrt(np.maximum(0.0, 1 - (x + 0.12) ** 2 * 0.8)) + gloss * np.exp(-(((x + 0.45) / 0.08) ** 2))
    )
    return np.minimum(light, 1.9)[None].astype(np.float32)


# --- Common ---------------------------------------------------------------------------------------------------------


def _light(front: Picture, rng: Rng, depth: float) -> None:
    """Light that falls off over a flat front."""
    x, y = np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8))
    turn = rng.uniform(0, 2 * np.pi)
    shade(front, (1 + depth * 0.5 * (np.cos(turn) * x + np.sin(turn) * y)).astype(np.float32))


def _cut_to(front: Picture, outline: Points) -> Picture:
    mask = new_mask(front)
    fill(mask, outline, 255)
    return _framed(front, mask)


def _warp(canvas: Picture, mask: Mask, texture: Picture, corners: list[tuple[float, float]], mirrored: bool) -> None:
    """Draw a face onto four corners, clockwise from the upper left; `mirrored` swaps the places, not the texture."""
    height, width = texture.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    target = np.array(corners, np.float32)
    if mirrored:
        target[:, 0] = canvas.shape[1] - target[:, 0]
        target = np.ascontiguousarray(target[[1, 0, 3, 2]])
    matrix = cv2.getPerspectiveTransform(source, target).astype(np.float64)
    left, top, wide, tall = cv2.boundingRect(target)
    window = (slice(max(top, 0), top + tall), slice(max(left, 0), left + wide))
    shift = np.array([(1, 0, -window[1].start), (0, 1, -window[0].start), (0, 0, 1)], np.float64)
    face = new_mask(canvas)
    fill(face, target, 255)
    size = (canvas[window].shape[1], canvas[window].shape[0])
    paint(canvas[window], face[window], warp(texture, shift @ matrix, size))
    np.maximum(mask, face, out=mask)


def _framed(picture: Picture, mask: Mask) -> Picture:
    """On white with a margin; nothing but white outside the mask, and a darker rim, as a lit solid body has."""
    height, width = mask.shape
    canvas = blank(height + 2 * _MARGIN, width + 2 * _MARGIN, WHITE)
    window = canvas[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    paint(window, mask, picture)
    core = cv2.erode(mask, np.ones((5, 5), np.uint8), borderValue=0)
    paint(window, cv2.subtract(mask, core).astype(np.uint8, copy=False), _RIM, _RIM_OPACITY)
    return canvas


# Width against height of the flat front.
_ASPECTS: dict[Kind, tuple[float, float]] = {
    Kind.BOX: (0.55, 1.5),
    Kind.CARTON: (0.4, 0.62),
    Kind.BAG: (0.6, 0.85),
    Kind.POUCH: (0.58, 0.85),
    Kind.CAN: (0.5, 1.15),
    Kind.BOTTLE: (0.62, 1.1),
}
# The label's share of the package's longest side.
_FRONT_SHARE: dict[Kind, float] = {
    Kind.BOX: 1.0,
    Kind.CARTON: 0.86,
    Kind.BAG: 1.0,
    Kind.POUCH: 1.0,
    Kind.CAN: 0.95,
    Kind.BOTTLE: 0.72,
}
_SHAPES: dict[Kind, Callable[[Picture, Rng, Colour, Colour], Picture]] = {
    Kind.BOX: _box,
    Kind.CARTON: _carton,
    Kind.BAG: _bag,
    Kind.POUCH: _pouch,
    Kind.CAN: _can,
    Kind.BOTTLE: _bottle,
}
