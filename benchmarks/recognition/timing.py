"""What a scan takes on one core, with nothing kept from before."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.recognition.shops import LIMIT_SEED
from benchmarks.yardstick import measure
from skuscan.recognition import RecognizerOptions
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions

PHOTOS = 24  # of each set


def scan_times(store: Path, photos: Sequence[Path]) -> dict[str, float | int]:
    """Median and 95th percentile of the scans of a sample, in ms and in yardsticks of the same minute."""
    cv2.setNumThreads(1)
    chosen = np.random.default_rng(LIMIT_SEED).permutation(len(photos))[:PHOTOS]
    with Recognizer.open(store, RecognizerOptions(runtime=RuntimeOptions(threads=1))) as recognizer:
        recognizer.identify(photos[chosen[0]])
        times = [sum(recognizer.identify(photos[number]).timings.values()) for number in chosen]
    yardstick = measure()
    median, late = (float(np.percentile(times, share)) for share in (50, 95))
    return {
        "photos": len(times),
        "yardstick_ms": round(yardstick, 2),
        "p50_ms": round(median, 1),
        "p95_ms": round(late, 1),
        "p50_yardsticks": round(median / yardstick, 2),
        "p95_yardsticks": round(late / yardstick, 2),
    }
