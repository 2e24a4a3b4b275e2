"""At which sizes a reference should be embedded: recall@1 on validation products, embedding alone.

python -m benchmarks.sizes_validation --pictures ../shared/data/train [--artifact DIR]

A size is the share of its square that a picture fills; of several, the one that is most like the scan counts. In each
catalogue 800 package scans stand beside the products that are asked for.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from skuscan.embedding import Embedder
from skuscan.model import REFERENCE_FILLS, Model
from skuscan.picture import letterbox
from skuscan.runtime import RuntimeOptions
from skuscan_models.artifacts import released_folder
from skuscan_models.training.sources import Picture, load_boxes, load_grozi
from skuscan_models.training.validation import of_photos, questions

BESIDE = 800
CHOICES = (
    (1.0,),
    (0.9,),
    (0.8,),
    (0.55,),
    (1.0, 0.7),
    (1.0, 0.6),
    REFERENCE_FILLS,
    (1.0, 0.5),
    (0.9, 0.55),
    (1.0, 0.7, 0.5),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes, grozi120 and produce")
    parser.add_argument("--artifact", type=Path, default=released_folder())
    given = parser.parse_args()
    cv2.setNumThreads(1)
    model = Model.open_folder(given.artifact)
    embedder, spec = Embedder.open(model, RuntimeOptions()), model.artifact.preprocess
    fills = sorted({fill for choice in CHOICES for fill in choice})

    def embedded(pictures: list[Picture]) -> dict[float, np.ndarray]:
        def one(picture: Picture, fill: float) -> np.ndarray:
            return embedder.embed(letterbox(picture, spec.size, spec.letterbox_grey, fill))

        return {fill: np.stack([one(picture, fill) for picture in pictures]) for fill in fills}

    asked = questions(given.pictures)
    both_parts = [*load_grozi(given.pictures, "train"), *load_grozi(given.pictures, "validation")]
    asked["grozi120"] = of_photos(both_parts)  # the released model was trained on none of them
    beside = embedded([instance.pictures[0] for instance in load_boxes(given.pictures, "train")[:BESIDE]])
    print(f"{'':10}" + "".join(f"{'+'.join(map(str, choice)):>14}" for choice in CHOICES))
    for kind, question in asked.items():
        names = np.array([name for name, _ in question.references] + [""] * BESIDE)
        truth = np.array([name for name, _ in question.photos])
        photos = np.stack([embedder.embed(photo) for _, photo in question.photos])
        own = embedded([picture for _, picture in question.references])
        similarities = {fill: photos @ np.concatenate([own[fill], beside[fill]]).T for fill in fills}
        cells = []
        for choice in CHOICES:
            nearest = np.maximum.reduce([similarities[fill] for fill in choice]).argmax(axis=1)
            cells.append(np.mean(names[nearest] == truth))
        print(f"{kind:10}" + "".join(f"{cell:14.3f}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
