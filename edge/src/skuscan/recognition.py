"""What a recogniser is asked, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from skuscan.decision import Decision, Evidence
from skuscan.errors import ConfigError
from skuscan.picture import PictureLimits
from skuscan.runtime import RuntimeOptions

Mode = Literal["full", "embedding", "keypoints_all"]
Image = str | Path | bytes | npt.NDArray[np.uint8]
Outline = npt.NDArray[np.float32]

STAGES = ("decode", "embed", "search", "keypoints", "verify", "decide")


@dataclass(frozen=True)
class RecognizerOptions:
    """How a recogniser works.

    Attributes:
        shortlist: SKUs that the search proposes and verification looks at, the few best of them closely.
        mode: "full"; "embedding" verifies nothing, "keypoints_all" verifies every reference and leaves the embedding
            out: both are for evaluation, and the latter is slow.
        runtime: What runs the network.
        limits: Pictures that are refused.
        sweep_seconds: Between two sweeps of a followed store for damage, by this process or another.
    """

    shortlist: int = 20
    mode: Mode = "full"
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)
    limits: PictureLimits = field(default_factory=PictureLimits)
    sweep_seconds: float = 86_400.0

    def __post_init__(self) -> None:
        if self.shortlist < 1:
            raise ConfigError("a shortlist has at least one SKU", str(self.shortlist))


@dataclass(frozen=True)
class Candidate:
    """A product that the scan may show.

    Attributes:
        sku: Its key.
        name: For people; empty when the catalogue has no product record.
        probability: Calibrated, 0 to 1.
        evidence: What was measured.
        outline: (4, 2) float32, px of the scanned picture: where the reference's printed part lies; None: not found.
    """

    sku: str
    name: str
    probability: float
    evidence: Evidence
    outline: Outline | None


@dataclass(frozen=True)
class Recognition:
    """The answer to one scan.

    Attributes:
        decision: What was decided.
        candidates: Most probable first.
        generation: The number of the generation that answered.
        timings: Milliseconds by stage, in the order of `STAGES`; stages not run are missing.
        damaged: SKUs left out because their records are damaged on this disk.
    """

    decision: Decision
    candidates: tuple[Candidate, ...]
    generation: int
    timings: Mapping[str, float]
    damaged: tuple[str, ...] = ()
