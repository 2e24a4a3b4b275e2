"""What the libraries of one environment make of the same files; `tools/second_environment.py` runs it in two.

    environment_answers.py references FOLDER       # FOLDER/references/<sku>.png -> FOLDER/records/<sku>, once
    environment_answers.py answers FOLDER OUT.npz  # FOLDER/queries/*.jpg: embeddings, keypoints, decisions

The records are made in one environment, as a server makes them for devices with other libraries.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.bundle.records import reference_id
from skuscan.catalogue import MemoryCatalogue
from skuscan.embedding import Embedder
from skuscan.features import FeatureExtractor
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.model import Model
from skuscan.picture import load_picture
from skuscan.proto.catalogue_pb2 import Reference
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions

MODEL = Path(__file__).parent.parent / "models" / "artifacts" / "efficientnet-lite0-products-clean"


def write_records(folder: Path, model: Model) -> None:
    extractor = FeatureExtractor.open(model, RuntimeOptions())
    (folder / "records").mkdir()
    for path in sorted((folder / "references").iterdir()):
        picture = path.read_bytes()
        found = extractor.extract(picture)
        record = Reference(
            sku=path.stem,
            reference_id=reference_id(picture),
            embedding=found.embedding,
            keypoints=found.keypoints,
        )
        (folder / "records" / path.stem).write_bytes(record.SerializeToString())


def answers(folder: Path, model: Model) -> dict[str, npt.NDArray[np.generic]]:
    """Arrays by name: `runtime`, `names`, `embeddings`, `decisions`, `probabilities`, `threshold`, and of each photo
    `<name>/points` and `<name>/bits`.
    """
    records = [Reference.FromString(path.read_bytes()) for path in sorted((folder / "records").iterdir())]
    recognizer = Recognizer(MemoryCatalogue(model, records))
    embedder = Embedder.open(model, RuntimeOptions())
    extractor = KeypointExtractor(model.artifact.keypoints)
    paths = sorted((folder / "queries").iterdir())
    out: dict[str, npt.NDArray[np.generic]] = {}
    embeddings, decisions, probabilities = [], [], []
    for path in paths:
        rgb = load_picture(path)
        embeddings.append(embedder.embed(rgb))
        decision = recognizer.identify(path).decision
        decisions.append(json.dumps([decision.kind, *decision.skus]))
        probabilities.append(decision.probability)
        keypoints = extractor.query(rgb)
        out[f"{path.name}/points"] = np.column_stack([keypoints.xy, keypoints.octaves]).astype(np.float32)
        out[f"{path.name}/bits"] = keypoints.descriptors
    described = f"{embedder.description.library} {embedder.description.version}, {embedder.description.delegate}"
    return {
        "runtime": np.array(described),
        "names": np.array([path.name for path in paths]),
        "embeddings": np.stack(embeddings),
        "decisions": np.array(decisions),
        "probabilities": np.array(probabilities),
        "threshold": np.array(model.artifact.decision.match_probability),
        **out,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("references").add_argument("folder", type=Path)
    answering = commands.add_parser("answers")
    answering.add_argument("folder", type=Path)
    answering.add_argument("out", type=Path)
    arguments = parser.parse_args()
    model = Model.open_folder(MODEL)
    if arguments.command == "references":
        write_records(arguments.folder, model)
    else:
        np.savez(arguments.out, **answers(arguments.folder, model))  # type: ignore[arg-type]  # names are not options


if __name__ == "__main__":
    main()
