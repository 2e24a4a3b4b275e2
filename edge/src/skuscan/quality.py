"""How good a reference picture is, in named numbers for the people who take the pictures.

They are by-products of choosing the reference's keypoints and cost a hundredth of that. What they mean for recognition
is the server's to judge: here is measurement only.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from skuscan.keypoint_extraction import ExaminedReference
from skuscan.picture import fit_longest_side

BLUR_SIDE = 320  # px; one scale for all, or a larger picture would count as less sharp
BLUR_REACH = 9  # px, of the blur that a picture is compared with (Crete-Roffet et al. 2007, section 3)
SPREAD_CELLS = 4  # a side of the grid over the package


@dataclass(frozen=True)
class ReferenceQuality:
    """What was measured of a reference picture."""

    width: int  # px, upright, as decoded: a large JPEG is decoded at a fraction of its size
    height: int  # px
    package_width: int  # px of these, of the box that holds all but a plain background
    package_height: int  # px
    keypoints: int  # kept
    surviving: int  # of those, found again in a drawn view
    spread: float  # share of a 4 x 4 grid over the package where one survives, 0 to 1
    blur: float  # 0 perfectly sharp to 1, after Crete-Roffet et al. 2007, at 320 px; contrast hardly matters


def measure(width: int, height: int, reference: ExaminedReference) -> ReferenceQuality:
    """Measure a picture of so many px, of which its keypoints were chosen."""
    box_x, box_y, box_width, box_height = reference.package
    frame_height, frame_width = reference.grey.shape
    survivors = reference.keypoints.xy[reference.survived]
    within = (survivors - (box_x, box_y)) * SPREAD_CELLS / (max(1, box_width), max(1, box_height))
    across, down = np.clip(within, 0, SPREAD_CELLS - 1).astype(np.intp).T
    cells = np.unique(across + SPREAD_CELLS * down)  # numpy is slow at unique rows
    return ReferenceQuality(
        width=width,
        height=height,
        package_width=round(box_width * width / frame_width),
        package_height=round(box_height * height / frame_height),
        keypoints=len(reference.keypoints),
        surviving=len(survivors),
        spread=len(cells) / SPREAD_CELLS**2,
        blur=_blur(fit_longest_side(reference.grey, BLUR_SIDE)),
    )


def _blur(grey: npt.NDArray[np.uint8]) -> float:
    """Crete-Roffet et al. 2007, "The blur effect: perception and estimation with a new no-reference perceptual blur
    metric": how much of the differences between neighbours a further blur leaves, along the axis that is blurred more.

    A picture without any difference counts as blurred.
    """
    across = _left_by_blur(grey, cv2.blur(grey, (BLUR_REACH, 1)))
    down = _left_by_blur(cv2.transpose(grey), cv2.transpose(cv2.blur(grey, (1, BLUR_REACH))))
    return max(across, down)


def _left_by_blur(grey: MatLike, blurred: MatLike) -> float:
    """The share of the differences along a row that a blur along the row leaves."""
    before, after = (cv2.absdiff(picture[:, 1:], picture[:, :-1]) for picture in (grey, blurred))
    total = cv2.sumElems(before)[0]
    lost = cv2.sumElems(cv2.subtract(before, after))[0]  # saturates: a difference that grew lost nothing
    return (total - lost) / total if total else 1.0
