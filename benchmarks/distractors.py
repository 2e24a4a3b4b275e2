"""What 10,000 more products in the gallery cost: `make eval-distractors`.

The packaged groceries are asked twice: by themselves, and with 10,000 distractors beside them (`distractor_sets.py`).
The loss of recall@1 is paired: photo by photo. The first run draws the distractors and computes their features (a
quarter of an hour on two cores); both are kept in `build/evaluation`. Results go to
`benchmarks/results/distractors.json`.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: as many processes as cores

from benchmarks.recognition.distractor_sets import drawn_distractors, scanned_distractors, with_distractors
from benchmarks.recognition.drawn import draw_fronts
from benchmarks.recognition.real_sets import real_shops
from benchmarks.recognition.session import BUILD, ROOT, Session, arguments, bars, data_folder
from benchmarks.recognition.work import wait_for, workers
from skuscan_models.synthetic.packaging import ProductDesign

DISTRACTORS = 10_000
SHOPS = ("groceries-packaged",)
DRAWN_CHUNK = 50  # products of a job


def main() -> int:
    """Draw, evaluate with and without, write the results, print the tables."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--distractors", type=int, default=DISTRACTORS, help="how many; other numbers go to build/")
    given = parser.parse_args()
    data = data_folder()
    if data is None:
        return 2
    scans = scanned_distractors(data / "train")[: given.distractors]
    drawn, folder = drawn_distractors(given.distractors - len(scans)), BUILD / "drawn"
    _draw(folder, drawn)
    alone = [shop for shop in real_shops(data) if shop.key in SHOPS]
    crowded = [with_distractors(shop, scans, drawn, folder) for shop in alone]
    results = ROOT / "benchmarks" / "results" if given.distractors == DISTRACTORS else BUILD
    Session("distractors", "make eval-distractors", results, data / "train").run([*alone, *crowded], given)
    return 0


def _draw(folder: Path, products: Sequence[ProductDesign]) -> None:
    chunks = [products[start : start + DRAWN_CHUNK] for start in range(0, len(products), DRAWN_CHUNK)]
    with workers() as pool, bars() as step:
        wait_for([pool.submit(draw_fronts, folder, chunk) for chunk in chunks], "drawing", step)


if __name__ == "__main__":
    sys.exit(main())
