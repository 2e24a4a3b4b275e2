"""The evaluation's metrics on training pictures that no training has seen: `make validate`.

To choose by: architectures, losses, thresholds, keypoints. `make eval` only reports. The same path and the same tables;
results go to `build/validation/`, so that several can be compared:

    python -m benchmarks.validation --model build/training/run-7/artifact --only train-boxes train-drawn
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: as many processes as cores

from benchmarks.recognition.session import BUILD, ROOT, Session, arguments, data_folder
from benchmarks.recognition.train_sets import train_shops


def main() -> int:
    """Evaluate, write the results, print the tables."""
    given = arguments(__doc__.splitlines()[0]).parse_args()
    data = data_folder()
    if data is None:
        return 2
    train = data / "train"
    session = Session("validation", "make validate", ROOT / "build" / "validation", train)
    session.run(train_shops(train, BUILD / "drawn"), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
