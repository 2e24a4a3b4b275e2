"""What the server computes of a reference picture: `python -m benchmarks.features [--json FILE]`.

Decoding, embedding and keypoints in yardsticks, per picture and core, on drawn packshots as a shop would upload them;
the display picture is timed beside them. Everything runs in one thread.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: everything here is one thread

import cv2
import numpy as np

from benchmarks.yardstick import measure as measure_yardstick
from skuscan.features import FeatureExtractor
from skuscan.model import Model
from skuscan.picture import load_picture
from skuscan.runtime import RuntimeOptions
from skuscan_models.artifacts import released_folder
from skuscan_models.synthetic.demo import benchmark_catalogue, encode_jpeg
from skuscan_models.synthetic.packaging import draw_front
from skuscan_server.features import make_display

ARTIFACT = released_folder()
PICTURES = 60
DISPLAY_SIDE = 240  # px


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here")
    file = parser.parse_args().json
    numbers = measure()
    for name, value in numbers.items():
        print(f"{name:<24}{value:>8.2f}")
    if file:
        file.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0


def measure() -> dict[str, float]:
    """Medians over the pictures; what ends in `yardsticks` is a ratio."""
    cv2.setNumThreads(1)
    extractor = FeatureExtractor.open(Model.open_folder(ARTIFACT), RuntimeOptions(threads=1))
    pictures = [encode_jpeg(draw_front(product)) for product in benchmark_catalogue(PICTURES)]
    decoded = [load_picture(picture) for picture in pictures]
    yardstick = measure_yardstick()
    features = _median(lambda number: extractor.extract(pictures[number]))
    display = _median(lambda number: make_display(decoded[number], DISPLAY_SIDE))
    return {
        "yardstick_ms": yardstick,
        "features_yardsticks": features / yardstick,
        "display_yardsticks": display / yardstick,
    }


def _median(work: Callable[[int], object]) -> float:
    """Milliseconds of one picture."""
    work(0)
    times = []
    for number in range(PICTURES):
        started = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - started) * 1000)
    return float(np.median(times))


if __name__ == "__main__":
    sys.exit(main())
