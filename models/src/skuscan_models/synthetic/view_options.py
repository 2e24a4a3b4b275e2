"""How hard a drawn photo is, and the ranges in use."""

from dataclasses import dataclass, field

from skuscan_models.synthetic.camera import CameraOptions, Span


@dataclass(frozen=True)
class FieldViewOptions:
    """How hard a field view is. `EASY`, `USUAL` and `HARD` are in use for photos; `PACKSHOT` is a studio."""

    longest_side: int = 640  # px
    shortest_side: int = 480  # px
    upright: float = 0.6  # probability of a portrait frame
    scale: Span = (0.5, 1.05)  # longer extent of the package against the frame's
    min_visible: float = 0.75  # share of the package's front that stays in the frame
    tilt: float = 28.0  # degrees: greatest turn about the upright and the level axis
    roll: float = 14.0  # degrees, standard deviation of the turn in the picture plane
    any_way_up: float = 0.06  # probability of a quarter or half turn on top
    second_face: float = 0.7  # probability that a flat-sided box shows its sides too
    bend: Span = (0.0, 0.02)  # greatest displacement by bending and squeezing, share of the package
    hand: float = 0.6  # probability
    things: tuple[int, int] = (1, 8)  # things lying about in the scene
    facings: float = 0.0  # probability that copies of the package stand around it, as on a shelf
    camera: CameraOptions = field(default_factory=CameraOptions)


USUAL = FieldViewOptions()
EASY = FieldViewOptions(
    scale=(0.65, 0.95),
    min_visible=0.92,
    tilt=15.0,
    roll=6.0,
    any_way_up=0.0,
    bend=(0.0, 0.008),
    hand=0.4,
    camera=CameraOptions(
        glare=0.15,
        glare_strength=(0.1, 0.4),
        shade=0.25,
        shade_depth=(0.1, 0.3),
        brightness=(0.8, 1.12),
        falloff=0.1,
        colour_cast=0.06,
        motion=0.0,
        defocus=(0.0, 0.6),
        noise=(0.5, 3.0),
        jpeg_quality=(80, 95),
    ),
)
HARD = FieldViewOptions(
    min_visible=0.6,
    tilt=42.0,
    roll=25.0,
    any_way_up=0.2,
    bend=(0.005, 0.04),
    hand=0.8,
    things=(3, 12),
    camera=CameraOptions(
        glare=0.6,
        glare_strength=(0.4, 1.0),
        shade=0.6,
        shade_depth=(0.25, 0.65),
        brightness=(0.5, 1.3),
        falloff=0.35,
        colour_cast=0.2,
        motion=0.4,
        motion_length=(3.0, 9.0),
        defocus=(0.3, 1.8),
        noise=(3.0, 12.0),
        jpeg_quality=(35, 85),
    ),
)
PACKSHOT = FieldViewOptions(
    scale=(0.6, 0.88),
    min_visible=1.0,
    tilt=32.0,
    roll=1.5,
    any_way_up=0.0,
    second_face=0.9,
    bend=(0.0, 0.0),
    hand=0.0,
    things=(0, 0),
    camera=CameraOptions(
        glare=0.0,
        shade=0.0,
        brightness=(0.95, 1.08),
        falloff=0.03,
        colour_cast=0.03,
        motion=0.0,
        defocus=(0.0, 0.5),
        noise=(0.0, 1.5),
        jpeg_quality=(85, 97),
    ),
)

MIXED = (EASY, USUAL, HARD)


def mixed(number: int) -> FieldViewOptions:
    """The options of photo `number`: easy, usual and hard ones in equal shares."""
    return MIXED[number % len(MIXED)]
