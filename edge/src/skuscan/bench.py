"""How fast this device scans: each stage's median and p95, and their ratio to the bare network.

The *yardstick* is one inference of the live model's network, one thread, in the same run; where that network is
EfficientNet-Lite0 int8 at 224 px it is the project's unit of speed. A ratio says more than milliseconds: it hardly
changes with the processor.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skuscan.errors import ConfigError
from skuscan.recognizer import Recognizer
from skuscan.runtime import Runtime, RuntimeOptions

WARM_UPS = 3  # scans and inferences that are not counted


@dataclass(frozen=True)
class StageTime:
    """One stage's times.

    Attributes:
        stage: Its name; "inference" is the bare network, "scan" all stages together.
        median_ms, mean_ms, p95_ms: Milliseconds.
        yardsticks: Median over the median of the bare network.
    """

    stage: str
    median_ms: float
    mean_ms: float
    p95_ms: float
    yardsticks: float


def bench(recognizer: Recognizer, pictures: Sequence[bytes], repeats: int, runtime: RuntimeOptions) -> list[StageTime]:
    """Scan pictures again and again. Stages come in the order in which a picture meets them.

    Args:
        recognizer: Opened with `runtime`.
        pictures: Files' bytes, at least one.
        repeats: Scans of each picture.
        runtime: What runs the network.

    Raises:
        ConfigError: No picture, or no repeat.
        PictureError: A picture cannot be used.
    """
    if not pictures or repeats < 1:
        raise ConfigError("a bench scans at least one picture once", f"{len(pictures)} pictures, {repeats} repeats")
    times: dict[str, list[float]] = {"inference": _inference_times(recognizer, len(pictures) * repeats, runtime)}
    for number in range(-WARM_UPS, repeats * len(pictures)):
        timings = recognizer.identify(pictures[number % len(pictures)]).timings
        for stage, milliseconds in (*timings.items(), ("scan", sum(timings.values()))) if number >= 0 else ():
            times.setdefault(stage, []).append(milliseconds)
    times["scan"] = times.pop("scan")  # last, also when a stage came up late
    yardstick = float(np.median(times["inference"]))
    return [
        StageTime(stage, median, float(np.mean(all_)), float(np.percentile(all_, 95)), median / yardstick)
        for stage, all_, median in ((stage, all_, float(np.median(all_))) for stage, all_ in times.items())
    ]


def _inference_times(recognizer: Recognizer, count: int, options: RuntimeOptions) -> list[float]:
    model = recognizer.catalogue.model
    network, side = Runtime.open(model.backbone, options), model.artifact.preprocess.size
    pixels: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
    times = []
    for number in range(-WARM_UPS, count):
        start = time.perf_counter()
        network.run(pixels)
        if number >= 0:
            times.append((time.perf_counter() - start) * 1000)
    return times
