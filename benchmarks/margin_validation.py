"""How much of its square a reference should fill: recall@1 on validation products by share, embedding alone.

python -m benchmarks.margin_validation --pictures ../shared/data/train [--artifact DIR]
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from skuscan.embedding import Embedder
from skuscan.model import Model
from skuscan.picture import letterbox
from skuscan.runtime import RuntimeOptions
from skuscan_models.artifacts import released_folder
from skuscan_models.training.sources import Picture
from skuscan_models.training.validation import questions

FILLS = (1.0, 0.95, 0.9, 0.8, 0.7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes, grozi120 and produce")
    parser.add_argument("--artifact", type=Path, default=released_folder())
    given = parser.parse_args()
    cv2.setNumThreads(1)
    model = Model.open_folder(given.artifact)
    embedder, spec = Embedder.open(model, RuntimeOptions()), model.artifact.preprocess

    def framed(picture: Picture, fill: float) -> Picture:
        return letterbox(picture, spec.size, spec.letterbox_grey, fill)

    print(f"{'':10}" + "".join(f"{fill:8.2f}" for fill in FILLS))
    for kind, question in questions(given.pictures).items():
        photos = np.stack([embedder.embed(photo) for _, photo in question.photos])
        names = np.array([name for name, _ in question.references])
        truth = np.array([name for name, _ in question.photos])
        cells = []
        for fill in FILLS:
            references = np.stack([embedder.embed(framed(picture, fill)) for _, picture in question.references])
            cells.append(np.mean(names[(photos @ references.T).argmax(axis=1)] == truth))
        print(f"{kind:10}" + "".join(f"{cell:8.3f}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
