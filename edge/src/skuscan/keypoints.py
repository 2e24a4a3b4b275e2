"""The keypoints of a picture, and their packed form."""

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from skuscan.descriptors import DESCRIPTOR_BYTES
from skuscan.errors import BundleError

MAX_KEYPOINTS = 1024  # in one packed set
MAX_SIDE = 4096  # px, of the fitted frame
OCTAVES = 8  # three bits

_FORMAT = 2
_HEADER = struct.Struct("<BHHH")  # format, count, width, height
_PLACES = 4095  # steps of a packed coordinate along the frame's longest side: twelve bits
_ANGLE_STEPS = 32  # a packed angle is a multiple of 11.25 degrees: five bits
_POSE_SHIFTS = np.array([0, 12, 24, 27], np.uint32)  # of x, y, octave and angle in 32 bits
_POSE_MASKS = np.array([_PLACES, _PLACES, OCTAVES - 1, _ANGLE_STEPS - 1], np.uint32)

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of one picture, in the frame to which it was fitted.

    Attributes:
        xy: (N, 2) float32, px.
        descriptors: (N, 20) uint8, 160 bits each.
        octaves: (N,) uint8, pyramid level, 0 the finest.
        angles: (N,) float32, degrees in [0, 360).
        width: px, of the fitted frame.
        height: px.
    """

    xy: FloatArray
    descriptors: ByteArray
    octaves: ByteArray
    angles: FloatArray
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.xy)

    @classmethod
    def empty(cls, width: int = 1, height: int = 1) -> "Keypoints":
        """A picture on which nothing was found."""
        return cls(
            np.zeros((0, 2), np.float32),
            np.zeros((0, DESCRIPTOR_BYTES), np.uint8),
            np.zeros(0, np.uint8),
            np.zeros(0, np.float32),
            width,
            height,
        )

    @cached_property
    def signs(self) -> FloatArray:
        """(N, 160) float32: the descriptors' bits as -1 and 1, whose products give Hamming distances."""
        return np.unpackbits(self.descriptors, axis=1).astype(np.float32) * 2 - 1

    def sizes(self, scale_factor: float) -> FloatArray:
        """(N,) float32: of a pixel of each keypoint's octave, px of the frame."""
        return np.asarray(np.float32(scale_factor) ** self.octaves.astype(np.float32), np.float32)

    def take(self, rows: Rows) -> "Keypoints":
        """The keypoints of some rows, in their order."""
        return Keypoints(
            self.xy[rows], self.descriptors[rows], self.octaves[rows], self.angles[rows], self.width, self.height
        )


def squared_distances(some: FloatArray, others: FloatArray) -> FloatArray:
    """(N, M) float32: between points (N, 2) and (M, 2), px^2. numpy is slow at sums over an axis of two."""
    squares = some[:, 0, None] - others[:, 0]
    squares *= squares
    y_off = some[:, 1, None] - others[:, 1]
    y_off *= y_off
    squares += y_off
    return np.asarray(squares, np.float32)


def pack(keypoints: Keypoints) -> bytes:
    """The little-endian form of a reference's keypoints: 7 bytes, then 24 a keypoint.

    Format, count, width, height; then all places and poses (32 bits: x and y in 4095ths of the longest side, octave,
    angle in steps of 11.25 degrees, from the lowest bit), then all descriptors.
    """
    if len(keypoints) > MAX_KEYPOINTS:
        raise ValueError(f"at most {MAX_KEYPOINTS} keypoints are packed, not {len(keypoints)}")
    steps = np.rint(keypoints.xy * np.float32(_PLACES / max(keypoints.width, keypoints.height)))
    angles = np.rint(keypoints.angles * np.float32(_ANGLE_STEPS / 360)) % _ANGLE_STEPS
    parts = np.column_stack([steps, keypoints.octaves, angles]).astype(np.uint32) << _POSE_SHIFTS
    poses: npt.NDArray[np.uint32] = np.bitwise_or.reduce(parts, axis=1).astype("<u4")
    header = _HEADER.pack(_FORMAT, len(keypoints), keypoints.width, keypoints.height)
    return b"".join((header, poses.tobytes(), keypoints.descriptors.tobytes()))


def unpack(data: bytes) -> Keypoints:
    """Read what `pack` wrote. Raises BundleError for anything else."""
    if len(data) < _HEADER.size:
        raise BundleError(f"packed keypoints have a header of {_HEADER.size} bytes", f"{len(data)} bytes")
    version, count, width, height = _HEADER.unpack_from(data)
    if version != _FORMAT:
        raise BundleError(f"packed keypoints have format {_FORMAT}", f"format {version}", "update skuscan")
    if count > MAX_KEYPOINTS or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BundleError(
            f"packed keypoints are at most {MAX_KEYPOINTS} in a frame of at most {MAX_SIDE} px",
            f"{count} keypoints, {width} x {height} px",
        )
    if len(data) != _HEADER.size + count * (4 + DESCRIPTOR_BYTES):
        raise BundleError(f"{count} packed keypoints have one length", f"{len(data)} bytes")
    poses = np.frombuffer(data, "<u4", count, _HEADER.size)
    parts = (poses[:, None] >> _POSE_SHIFTS) & _POSE_MASKS
    descriptors = np.frombuffer(data, np.uint8, count * DESCRIPTOR_BYTES, _HEADER.size + 4 * count)
    longest = max(width, height)
    # Half a step more: a place on the frame's very edge may have been rounded beyond it.
    if (parts[:, :2] * longest > np.array([width, height]) * _PLACES + longest / 2).any():
        raise BundleError("packed keypoints lie in their frame", f"one beyond {width} x {height} px")
    return Keypoints(
        parts[:, :2].astype(np.float32) * np.float32(longest / _PLACES),
        descriptors.reshape(count, DESCRIPTOR_BYTES),
        parts[:, 2].astype(np.uint8),
        parts[:, 3].astype(np.float32) * np.float32(360 / _ANGLE_STEPS),
        width,
        height,
    )
