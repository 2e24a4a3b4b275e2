"""Fits the decision's coefficients on training pictures and writes them into an artefact.

    python -m skuscan_models.decision_fit --artifact models/artifacts/NAME --pictures .../data/train \
        --report models/artifacts/NAME/decision_fit.json --diagram build/reliability.svg

1. Measure scans with known answers (`decision_scans.py`).
2. Fit a logistic model on their candidates and set its thresholds out of fold (`decision_model.py`).
3. Write the coefficients into `artifact.json`, a report of what they do on products that they were not fitted on
   (`decision_report.py`), and the reliability diagram.

The feature space does not depend on the coefficients: catalogues made before stay valid.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from google.protobuf import json_format

from skuscan.errors import SkuscanError
from skuscan.model import ARTIFACT_FILE, Model
from skuscan.proto.bundle_pb2 import DecisionCoefficients, ModelArtifact
from skuscan_models.decision_model import (
    FitOptions,
    as_scanned,
    cases_of,
    closer_look_probability,
    examples_of,
    fit,
    judge,
    with_thresholds,
)
from skuscan_models.decision_report import reliability_of, report
from skuscan_models.decision_scans import Sizes, measured_scans
from skuscan_models.reliability import diagram

SUMS_FILE = "SHA256SUMS"


def write_decision(folder: Path, coefficients: DecisionCoefficients) -> None:
    """Replace the decision of an artefact's folder, and bring `SHA256SUMS` up to date where there is one."""
    path = folder / ARTIFACT_FILE
    artifact = json_format.Parse(path.read_text(), ModelArtifact())
    artifact.decision.CopyFrom(coefficients)
    path.write_text(json_format.MessageToJson(artifact, indent=2, sort_keys=True) + "\n")
    sums = folder / SUMS_FILE
    if sums.exists():
        names = [line.split(maxsplit=1)[1] for line in sums.read_text().splitlines()]
        digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
        sums.write_text("".join(f"{digest}  {name}\n" for digest, name in zip(digests, names, strict=True)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="skuscan_models.decision_fit", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--artifact", type=Path, required=True, help="folder of the artefact, e.g. models/artifacts/NAME"
    )
    parser.add_argument(
        "--pictures", type=Path, required=True, help="folder with grozi120, produce, boxes, or some of them"
    )
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--diagram", type=Path, required=True, help="SVG file to write")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    options, sizes = FitOptions(), Sizes()
    try:
        scans = list(measured_scans(Model.open_folder(given.artifact), given.pictures, sizes, given.seed))
    except SkuscanError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    cases = [case for scan in scans for case in cases_of(scan)]
    examples = examples_of(cases, options)
    judged = judge(cases, examples, options)
    fitted = fit(examples, options)
    fitted.closer_look_probability = closer_look_probability(judged, options)
    judged = as_scanned(judged, fitted.closer_look_probability)
    coefficients = with_thresholds(fitted, judged, options)
    settings = {"options": asdict(options), "sizes": asdict(sizes), "seed": given.seed}
    given.report.write_text(json.dumps(settings | report(judged, coefficients, options), indent=2) + "\n")
    given.diagram.write_text(diagram(reliability_of(judged), "First answers, out of fold"))
    write_decision(given.artifact, coefficients)
    return 0


if __name__ == "__main__":
    sys.exit(main())
