"""Whether two machines answer alike; `tools/arm64.sh` runs it on both.

    arm64_check.py embed MODEL_FOLDER PHOTO... OUT.npz     # the photos' embeddings, on the machine that runs this
    arm64_check.py compare HERE THERE                      # folders: embeddings.npz, answers.json, status.json

Kernels differ between processors, so embeddings are compared by cosine and probabilities within a tolerance; what was
decided, of which product, must be the same.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skuscan.embedding import Embedder
from skuscan.model import Model
from skuscan.picture import load_picture
from skuscan.runtime import RuntimeOptions

LOWEST_COSINE = 0.995  # between two processors with one runtime; stricter than between two runtimes
PROBABILITY_TOLERANCE = 0.2  # between two answers of one decision: a kernel's rounding moves a few keypoints' votes


def embed(model_folder: Path, photos: list[Path]) -> dict[str, npt.NDArray[np.float32]]:
    """The photos' unit vectors, (256,) float32, by path."""
    embedder = Embedder.open(Model.open_folder(model_folder), RuntimeOptions(threads=1))
    return {str(photo): embedder.embed(load_picture(photo)) for photo in photos}


def disagreements(here: Path, there: Path) -> list[str]:
    """Where the answers of two machines differ, a line each."""
    vectors, others = (dict(np.load(folder / "embeddings.npz")) for folder in (here, there))
    cosines = {photo: float(vector @ others[photo]) for photo, vector in vectors.items()}
    found = [f"{photo}: cosine {cosine:.4f}" for photo, cosine in cosines.items() if not cosine >= LOWEST_COSINE]

    answers, their_answers = (_read(folder / "answers.json") for folder in (here, there))
    for mine, other in zip(answers, their_answers, strict=True):
        if _decision(mine) != _decision(other):
            found.append(f"{mine['file']}: here {_decision(mine)}, there {_decision(other)}")
        elif not abs(mine["probability"] - other["probability"]) <= PROBABILITY_TOLERANCE:
            found.append(
                f"{mine['file']}: probability {mine['probability']:.3f} here, {other['probability']:.3f} there"
            )

    search, their_search = (_read(folder / "status.json")["search"] for folder in (here, there))
    if search != their_search:
        found.append(f"search {search} here, {their_search} there")
    print(
        f"arm64: {len(cosines)} photos, lowest cosine {min(cosines.values()):.4f}, search {their_search}, "
        f"{sum(answer['decision'] == 'match' for answer in their_answers)} matches, {len(found)} disagreements"
    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    embedding = commands.add_parser("embed")
    embedding.add_argument("model", type=Path)
    embedding.add_argument("photos", type=Path, nargs="+")
    embedding.add_argument("out", type=Path)
    comparison = commands.add_parser("compare")
    comparison.add_argument("here", type=Path)
    comparison.add_argument("there", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "embed":
        np.savez(arguments.out, allow_pickle=False, **embed(arguments.model, arguments.photos))
        return 0
    found = disagreements(arguments.here, arguments.there)
    sys.stderr.writelines(f"arm64: {line}\n" for line in found)
    return 1 if found else 0


def _decision(answer: dict[str, Any]) -> tuple[str, ...]:
    return (answer["decision"], *answer["skus"]) if "error" not in answer else ("error", answer["error"])


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


if __name__ == "__main__":
    sys.exit(main())
