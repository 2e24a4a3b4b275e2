"""The yardstick: the unit in which this project states speed.

One yardstick is the median time of one inference of EfficientNet-Lite0, full int8, at 224 px, in one thread, measured
on the same machine and in the same run as what is compared with it. So "a scan takes 2.5 yardsticks" can be checked on
any machine, while its milliseconds cannot.

    python -m benchmarks.yardstick
"""

import statistics
import time

import numpy as np

from skuscan.model import BACKBONE_FILE
from skuscan.runtime import Runtime, RuntimeOptions
from skuscan_models.artifacts import released_folder

BACKBONE = released_folder() / BACKBONE_FILE
SIDE = 224  # px
WARM_UP_RUNS = 5
RUNS = 50
SEED = 1


def measure(runs: int = RUNS) -> float:
    """One yardstick on this machine now, in ms.

    Raises:
        ModelError: The released backbone is missing or damaged.
    """
    runtime = Runtime.open(BACKBONE, RuntimeOptions(threads=1))
    picture = np.random.default_rng(SEED).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    for _ in range(WARM_UP_RUNS):
        runtime.run(picture)
    return statistics.median(_milliseconds(runtime, picture) for _ in range(runs))


def _milliseconds(runtime: Runtime, picture: np.ndarray) -> float:
    start = time.perf_counter()
    runtime.run(picture)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    print(f"one yardstick: {measure():.2f} ms")
