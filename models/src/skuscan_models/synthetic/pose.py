"""How a package stands before a pinhole camera: where its front and its sides are in a photo."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from skuscan_models.synthetic.camera import Rng
from skuscan_models.synthetic.cutout import Cutout
from skuscan_models.synthetic.view_options import FieldViewOptions

_PLACING_STEPS = 12  # steps by which a package is moved back into the frame
_LAMP = np.array((-0.35, -0.5, -0.79))  # where the light comes from, a unit vector in the camera's frame


@dataclass(frozen=True)
class Face:
    """One side of the package in the photo.

    Attributes:
        corners: (4, 2) float32 px; its texture's left, or top, is along the front's edge.
        light: How much falls on it, 1 as on the front.
        edge: Of the front, that it joins: "left", "right", "top" or "bottom".
    """

    corners: npt.NDArray[np.float32]
    light: float
    edge: str


@dataclass(frozen=True)
class Pose:
    """Where the package is in the photo.

    Attributes:
        front: (4, 2) float32 px, the corners of its front, from the upper left clockwise.
        sides: Those of its sides that face the camera.
    """

    front: npt.NDArray[np.float32]
    sides: tuple[Face, ...]


def frame_of(rng: Rng, options: FieldViewOptions) -> tuple[int, int]:
    """Height and width of the photo, px."""
    upright = rng.random() < options.upright
    size = (options.longest_side, options.shortest_side)
    return size if upright else size[::-1]


def place(package: Cutout, rng: Rng, frame: tuple[int, int], options: FieldViewOptions) -> Pose:
    """Turn a package, and put it somewhere in a frame of (height, width) px, as far inside as the options say."""
    height, width = package.rgba.shape[:2]
    half = np.array((width, height)) / max(height, width) / 2
    boxed = package.rectangular and rng.random() < options.second_face
    depth = min(half) * rng.uniform(0.3, 1.2) if boxed else 0.0
    # Front corners in turn, then the same corners at the back; z grows away from the camera.
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    front = np.concatenate([signs * half, np.full((4, 1), -depth)], axis=1)
    solid = np.concatenate([front, front * (1, 1, -1)])
    turned = solid @ _rotation(rng, options).T
    distance = rng.uniform(1.8, 4.0)
    flat = turned[:, :2] / (turned[:, 2:] + distance)
    flat *= _fit(flat[:4], frame, rng.uniform(*options.scale))
    flat = _into_frame(flat - flat[:4].mean(axis=0), rng, frame, options.min_visible)
    points = flat.astype(np.float32)
    return Pose(points[:4], tuple(_visible_sides(points, turned)) if boxed else ())


def _rotation(rng: Rng, options: FieldViewOptions) -> npt.NDArray[np.float64]:
    """(3, 3): a turn about the upright axis, then about the level one, then in the picture plane."""
    yaw, pitch = np.deg2rad(rng.uniform(-options.tilt, options.tilt, 2))
    roll = np.deg2rad(rng.normal(0, options.roll))
    if rng.random() < options.any_way_up:
        roll += np.pi / 2 * rng.integers(1, 4)
    turn = np.array([(np.cos(yaw), 0, np.sin(yaw)), (0, 1, 0), (-np.sin(yaw), 0, np.cos(yaw))])
    nod = np.array([(1, 0, 0), (0, np.cos(pitch), -np.sin(pitch)), (0, np.sin(pitch), np.cos(pitch))])
    spin = np.array([(np.cos(roll), -np.sin(roll), 0), (np.sin(roll), np.cos(roll), 0), (0, 0, 1)])
    return np.asarray(spin @ nod @ turn)


def _fit(front: npt.NDArray[np.float64], frame: tuple[int, int], share: float) -> float:
    """Pixels per unit at which the front takes a share of the frame's tighter side."""
    extent = np.ptp(front, axis=0)
    return float(share * min(frame[1] / extent[0], frame[0] / extent[1]))


def _into_frame(
    flat: npt.NDArray[np.float64], rng: Rng, frame: tuple[int, int], min_visible: float
) -> npt.NDArray[np.float64]:
    """Put the package somewhere in the frame, then move it towards the middle until enough of it shows."""
    middle = np.array(frame[::-1]) / 2
    slack = np.maximum(middle - np.ptp(flat[:4], axis=0) / 2, 0.12 * middle)
    aside = np.clip(rng.normal(0, 0.5, 2), -1.2, 1.2) * slack
    for step in range(_PLACING_STEPS):
        moved = flat + middle + aside * (1 - step / (_PLACING_STEPS - 1))
        if visible_share(moved[:4].astype(np.float32), frame) >= min_visible:
            break
    return np.asarray(moved)


def visible_share(front: npt.NDArray[np.float32], frame: tuple[int, int]) -> float:
    """The share of a convex outline that lies in the frame."""
    height, width = frame
    window = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    common, _ = cv2.intersectConvexConvex(np.ascontiguousarray(front), window)
    return float(common) / max(float(cv2.contourArea(front)), 1.0)


def _visible_sides(points: npt.NDArray[np.float32], turned: npt.NDArray[np.float64]) -> list[Face]:
    """Each side's corners run so that its texture's left (or top) edge is the front's edge."""
    sides = {"right": (1, 5, 6, 2), "left": (4, 0, 3, 7), "top": (4, 5, 1, 0), "bottom": (3, 2, 6, 7)}
    faces = []
    for edge, numbers in sides.items():
        corners = points[list(numbers)]
        if cv2.contourArea(corners, oriented=True) > 1.0:
            a, b, c = turned[list(numbers[:3])]
            normal = np.cross(c - b, a - b)
            normal /= max(float(np.linalg.norm(normal)), 1e-9)
            faces.append(Face(corners, 0.68 + 0.3 * float(abs(normal @ _LAMP)), edge))
    return faces
