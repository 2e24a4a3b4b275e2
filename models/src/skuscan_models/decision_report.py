"""What a fitted decision does out of fold: on products that its coefficients were not fitted on."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from google.protobuf import json_format
from sklearn.metrics import roc_auc_score

from skuscan.decision import Decider
from skuscan.proto.bundle_pb2 import Calibration, DecisionCoefficients
from skuscan_models.decision_model import FitOptions, Judged, match_logit, no_pair
from skuscan_models.reliability import Reliability, reliability

KNOB = (0.001, 0.01, 0.05)  # accepted rates at which the report says what an operator gets
DECIMALS = 4


def report(judged: Sequence[Judged], coefficients: DecisionCoefficients, options: FitOptions) -> dict[str, object]:
    """Shares by catalogue, and how many scans they are of; calibration; what the operator's knob does."""
    sources = sorted({j.case.scan.source for j in judged})
    of_source = {source: [j for j in judged if j.case.scan.source == source] for source in sources}
    return {
        "coefficients": json_format.MessageToDict(coefficients, preserving_proto_field_name=True),
        "sources": {source: _of_source(those, coefficients) for source, those in of_source.items()},
        "knob": [_at_rate(rate, judged, coefficients, options) for rate in KNOB],
        "reliability": asdict(reliability_of(judged)),
    }


def reliability_of(judged: Sequence[Judged]) -> Reliability:
    """Whether first answers have the probability that they say, products that are not in the catalogue included."""
    first = [j for j in judged if j.verified]
    return reliability([j.verified[0].probability for j in first], [j.is_right for j in first])


def _of_source(judged: Sequence[Judged], coefficients: DecisionCoefficients) -> dict[str, float | int]:
    decider = Decider(coefficients, Calibration())
    known = [j for j in judged if j.case.truth]
    decided = [(decider.decide(j.verified, no_pair), j.case.truth) for j in known]
    matches = [decision.skus[0] == truth for decision, truth in decided if decision.kind == "match"]
    foreign = [j for j in judged if j.case.foreign]
    left_out = [j for j in judged if not j.case.truth and not j.case.foreign]
    return {
        "scans": len(known),
        "in_shortlist": _share([any(m.sku == j.case.truth for m in j.case.looks.last) for j in known]),
        "recall_embedding": _share([j.unverified[0].sku == j.case.truth for j in known]),
        "recall_keypoints": _share([_best_by_keypoints(j) == j.case.truth for j in known]),
        "recall_fused": _share([j.is_right for j in known]),
        "coverage": _share([decision.kind == "match" for decision, _ in decided]),
        "ambiguous": _share([decision.kind == "ambiguous" for decision, _ in decided]),
        "precision": _share(matches),
        "short_list_precision": _share([truth in d.skus for d, truth in decided if d.kind == "ambiguous"]),
        "foreign_scans": len(foreign),
        "false_accepts": _share([decider.decide(j.verified, no_pair).kind == "match" for j in foreign]),
        "false_short_lists": _share([decider.decide(j.verified, no_pair).kind == "ambiguous" for j in foreign]),
        "left_out_scans": len(left_out),
        "left_out_accepts": _share([decider.decide(j.verified, no_pair).kind == "match" for j in left_out]),
        "auroc_foreign": _auroc(known, foreign),
        "auroc_left_out": _auroc(known, left_out),
        "log_loss": _log_loss(judged),
        "ece": round(reliability_of(judged).ece, DECIMALS),
        "ece_known": round(reliability_of(known).ece, DECIMALS),
    }


def _at_rate(
    rate: float, judged: Sequence[Judged], coefficients: DecisionCoefficients, options: FitOptions
) -> dict[str, object]:
    """What an operator gets, in each catalogue, who accepts this rate and has no calibration."""
    least = match_logit(judged, coefficients.ambiguous_margin, rate, options)
    probability = max(float(1 / (1 + np.exp(-least))), options.least_match_probability)
    decider = Decider(coefficients, Calibration(match_probability=probability))
    matched = [(j, decider.decide(j.verified, no_pair).kind == "match") for j in judged]
    sources = sorted({j.case.scan.source for j in judged})
    return {
        "false_accept_rate": rate,
        "match_probability": round(probability, DECIMALS),
        "coverage": {s: _share([m for j, m in matched if j.case.scan.source == s and j.case.truth]) for s in sources},
        "precision": _share([j.is_right for j, m in matched if m and j.case.truth]),
        "false_accepts": {
            s: _share([m for j, m in matched if j.case.scan.source == s and j.case.foreign]) for s in sources
        },
        "left_out_accepts": {
            s: _share([m for j, m in matched if j.case.scan.source == s and not j.case.foreign and not j.case.truth])
            for s in sources
        },
    }


def _best_by_keypoints(judged: Judged) -> str:
    best = max(judged.verified, key=lambda rated: (rated.evidence.inliers, rated.evidence.agreeing))
    return best.sku


def _auroc(known: Sequence[Judged], others: Sequence[Judged]) -> float:
    """How well logits tell right first answers from answers to what is not in the catalogue; 0: no such scans."""
    right = [j.verified[0].logit for j in known if j.is_right]
    wrong = [j.verified[0].logit for j in others if j.verified]
    if not right or not wrong:
        return 0.0
    truth = [True] * len(right) + [False] * len(wrong)
    return round(float(roc_auc_score(truth, [*right, *wrong])), DECIMALS)


def _log_loss(judged: Sequence[Judged]) -> float:
    """Of the verified candidates."""
    logits = np.array([rated.logit for j in judged for rated in j.verified])
    right = np.array([rated.sku == j.case.truth for j in judged for rated in j.verified])
    return round(float(np.mean(np.logaddexp(0, logits) - right * logits)), DECIMALS) if len(logits) else 0.0


def _share(outcomes: Sequence[bool]) -> float:
    return round(float(np.mean(outcomes)), DECIMALS) if outcomes else 0.0
