"""Fits the decision's coefficients on training pictures and writes them into an artefact.

    python -m skuscan_models.decision_fit --artifact models/artifacts/NAME --pictures .../data/train --report fit.json

1. Measure scans with known answers (`decision_scans.py`).
2. Fit a logistic model on their candidates and set its thresholds out of fold (`decision_model.py`).
3. Write the coefficients into `artifact.json`, and a report of what they do on products that they were not fitted on.

The feature space does not depend on the coefficients: catalogues made before stay valid.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from google.protobuf import json_format

from skuscan.decision import Decider
from skuscan.errors import SkuscanError
from skuscan.model import ARTIFACT_FILE, Model
from skuscan.proto.bundle_pb2 import Calibration, DecisionCoefficients, ModelArtifact
from skuscan_models.decision_model import (
    FitOptions,
    Judged,
    cases_of,
    examples_of,
    fit,
    judge,
    no_pair,
    with_thresholds,
)
from skuscan_models.decision_scans import Sizes, measured_scans

SUMS_FILE = "SHA256SUMS"


def report(judged: Sequence[Judged], coefficients: DecisionCoefficients) -> dict[str, object]:
    """What the decision does out of fold, by catalogue: shares, and how many scans they are of."""
    sources = sorted({j.case.scan.source for j in judged})
    return {
        "coefficients": json_format.MessageToDict(coefficients, preserving_proto_field_name=True),
        "sources": {s: _of_source([j for j in judged if j.case.scan.source == s], coefficients) for s in sources},
    }


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
    parser.add_argument("--pictures", type=Path, required=True, help="folder with grozi120, produce and boxes")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    options, sizes = FitOptions(), Sizes()
    try:
        scans = list(measured_scans(Model.open_folder(given.artifact), given.pictures, sizes, given.seed))
    except SkuscanError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    cases = [case for scan in scans for case in cases_of(scan)]
    judged = judge(cases, options)
    coefficients = with_thresholds(fit(examples_of(cases, options), options), judged, options)
    settings = {"options": asdict(options), "sizes": asdict(sizes), "seed": given.seed}
    given.report.write_text(json.dumps(settings | report(judged, coefficients), indent=2) + "\n")
    write_decision(given.artifact, coefficients)
    return 0


def _of_source(judged: Sequence[Judged], coefficients: DecisionCoefficients) -> dict[str, float | int]:
    decider = Decider(coefficients, Calibration())
    known = [j for j in judged if j.case.truth]
    decided = [(decider.decide(j.verified, no_pair), j.case.truth) for j in known]
    matches = [decision.skus[0] == truth for decision, truth in decided if decision.kind == "match"]
    foreign = [j for j in judged if j.case.foreign]
    siblings = [j for j in judged if not j.case.truth and not j.case.foreign]
    return {
        "scans": len(known),
        "in_shortlist": _share([any(m.sku == j.case.truth for m in j.case.candidates) for j in known]),
        "recall_embedding": _share([j.unverified[0].sku == j.case.truth for j in known]),
        "recall_keypoints": _share([_best_by_keypoints(j) == j.case.truth for j in known]),
        "recall_fused": _share([j.verified[0].sku == j.case.truth for j in known]),
        "coverage": _share([decision.kind == "match" for decision, _ in decided]),
        "ambiguous": _share([decision.kind == "ambiguous" for decision, _ in decided]),
        "precision": _share(matches),
        "short_list_precision": _share([truth in d.skus for d, truth in decided if d.kind == "ambiguous"]),
        "foreign_scans": len(foreign),
        "false_accepts": _share([decider.decide(j.verified, no_pair).kind == "match" for j in foreign]),
        "false_short_lists": _share([decider.decide(j.verified, no_pair).kind == "ambiguous" for j in foreign]),
        "left_out_scans": len(siblings),
        "left_out_accepts": _share([decider.decide(j.verified, no_pair).kind == "match" for j in siblings]),
    }


def _best_by_keypoints(judged: Judged) -> str:
    best = max(judged.verified, key=lambda rated: (rated.evidence.inliers, rated.evidence.agreeing))
    return best.sku


def _share(outcomes: Sequence[bool]) -> float:
    return round(float(np.mean(outcomes)), 4) if outcomes else 0.0


if __name__ == "__main__":
    sys.exit(main())
