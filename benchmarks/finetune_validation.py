"""What fine-tuning the released model on a retailer's pictures gives, and what it costs elsewhere: recall@1, embedding
alone, in float.

    python -m benchmarks.finetune_validation --pictures ../shared/data/train

The retailer's catalogue is a seeded choice of package scans that the released model was not trained on, one picture
each. Needs the packages of `requirements-train.txt`.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from skuscan_models.artifacts import released_folder
from skuscan_models.float_model import FloatModel
from skuscan_models.pictures import find_pictures
from skuscan_models.training.finetune import FinetuneOptions, finetune
from skuscan_models.training.released import recall_of
from skuscan_models.training.sources import OPEN_BOXES
from skuscan_models.training.validation import questions

SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes, grozi120 and produce")
    parser.add_argument("--products", type=int, default=500, help="of the catalogue (default %(default)s)")
    parser.add_argument("--steps", type=int, default=FinetuneOptions().steps, help="batches (default %(default)s)")
    given = parser.parse_args()
    asked = questions(given.pictures)
    before = recall_of(FloatModel.load(released_folder()), asked)
    with tempfile.TemporaryDirectory() as folder:
        catalogue = Path(folder) / "catalogue.csv"
        _write_catalogue(catalogue, given.pictures / "boxes", given.products)
        began = time.monotonic()
        options = FinetuneOptions(steps=given.steps)
        done = finetune(catalogue, released_folder(), Path(folder) / "run", lambda *_: None, options, True)
        minutes = (time.monotonic() - began) / 60
    after = recall_of(done.model, asked)
    print(f"{given.products} products, {given.steps} steps, {minutes:.1f} min; {done.products} products kept aside")
    print(f"{'':>14}{'before':>9}{'after':>9}")
    print(f"{'kept aside':>14}{done.before:9.3f}{done.after:9.3f}")
    for name in asked:
        print(f"{name:>14}{before[name]:9.3f}{after[name]:9.3f}")


def _write_catalogue(path: Path, scans: Path, products: int) -> None:
    unseen = [scan for scan in find_pictures(scans) if not scan.name.startswith(OPEN_BOXES)]
    chosen = np.random.default_rng(SEED).permutation(len(unseen))[:products]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("sku", "image"))
        rows.writerows((unseen[i].stem, unseen[i].resolve()) for i in sorted(chosen))


if __name__ == "__main__":
    main()
