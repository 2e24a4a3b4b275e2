"""How much of its square a reference should fill: recall@1 on validation products by share, embedding alone.

python -m benchmarks.margin_validation --pictures ../shared/data/train [--artifact DIR]
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from skuscan.embedding import Embedder
from skuscan.model import Model
from skuscan.runtime import RuntimeOptions
from skuscan_models.artifacts import released_folder
from skuscan_models.training.sources import Picture
from skuscan_models.training.validation import questions

FILLS = (1.0, 0.95, 0.9, 0.8, 0.7)
WHITE = 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes, grozi120 and produce")
    parser.add_argument("--artifact", type=Path, default=released_folder())
    given = parser.parse_args()
    cv2.setNumThreads(1)
    embedder = Embedder.open(Model.open_folder(given.artifact), RuntimeOptions())
    print(f"{'':10}" + "".join(f"{fill:8.2f}" for fill in FILLS))
    for kind, question in questions(given.pictures).items():
        photos = np.stack([embedder.embed(photo) for _, photo in question.photos])
        names = np.array([name for name, _ in question.references])
        truth = np.array([name for name, _ in question.photos])
        cells = []
        for fill in FILLS:
            references = np.stack([embedder.embed(with_margin(picture, fill)) for _, picture in question.references])
            cells.append(np.mean(names[(photos @ references.T).argmax(axis=1)] == truth))
        print(f"{kind:10}" + "".join(f"{cell:8.3f}" for cell in cells), flush=True)


def with_margin(picture: Picture, fill: float) -> Picture:
    """The picture in the middle of a white square, its longest side that share of the square's."""
    height, width = picture.shape[:2]
    side = round(max(height, width) / fill)
    top, left = (side - height) // 2, (side - width) // 2
    return np.asarray(
        cv2.copyMakeBorder(
            picture, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=(WHITE,) * 3
        ),
        np.uint8,
    )


if __name__ == "__main__":
    main()
