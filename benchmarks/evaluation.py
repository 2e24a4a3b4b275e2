"""The evaluation on real pictures: `make eval`, or `python -m benchmarks.evaluation`.

Every set of `<SKUSCAN_DATA, else ../shared>/data/eval` goes through the whole path: a server imports, publishes and
signs its catalogue, a device enrols, syncs, and answers. On the same devices, photos of nothing for sale are counted as
false accepts: the set's negatives, 5,000 drawn scenes and crops, and photos of products that were left out.

Results go to `benchmarks/results/` (`recognition.json`, `recognition.md` and plots), those of a part or of another
model to `build/evaluation/`, where pages with pictures of mistakes go always. Features are kept in
`build/evaluation/cache`.

These pictures report; nothing is trained or chosen on them. To choose: `python -m benchmarks.validation`.
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: as many processes as cores

from benchmarks.recognition.real_sets import POOLED, real_shops
from benchmarks.recognition.session import ROOT, Session, arguments, data_folder


def main() -> int:
    """Evaluate, write the results, print the tables."""
    given = arguments(__doc__.splitlines()[0]).parse_args()
    data = data_folder()
    if data is None:
        return 2
    session = Session("recognition", "make eval", ROOT / "benchmarks" / "results", data / "train", POOLED)
    session.run(real_shops(data), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
