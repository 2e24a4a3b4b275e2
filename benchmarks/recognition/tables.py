"""Results as Markdown, as they stand in the README."""

from collections.abc import Mapping, Sequence
from typing import Any

SETS_HEADER = (
    *("set", "references", "photos", "**recall@1**", "recall@5", "shortlist@10", "@20", "embedding", "+ ORB", "mAP"),
    *("NDCG@5", "coverage", "precision", "ambiguous", "AUROC", "ECE", "false accepts"),
)


def sets_table(sets: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a set: recall of the whole way and of its parts, and what the decision does."""
    return _table(SETS_HEADER, [_set_row(report) for report in sets.values()])


def aims_table(aims: Sequence[Mapping[str, Any]]) -> str:
    """A row an aim."""
    rows = [(a["aim"], _value(a["measured"], a["interval"], 4), "yes" if a["met"] else "**no**") for a in aims]
    return _table(("aim", "measured", "met"), rows)


def false_accepts_table(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a kind of picture and catalogue."""
    rows = []
    for kind, found in kinds.items():
        for title, one in found["shops"].items():
            rate = _value(one["false_accept_rate"], one["false_accept_rate_interval"], 4)
            rows.append(
                (kind, title, str(one["n"]), str(one["false_accepts"]), rate, f"{one['false_short_list_rate']:.4f}")
            )
    return _table(("pictures", "catalogue", "asked", "matches", "rate", "short lists"), rows)


def _set_row(report: Mapping[str, Any]) -> tuple[str, ...]:
    ablation = report["ablation"]
    return (
        report["title"],
        str(report.get("references", "-")),
        str(report["n"]),
        f"**{_rate(report, 'recall_at_1')}**",
        *(_short(report[name]) for name in ("recall_at_5", "shortlist_recall_at_10", "shortlist_recall_at_20")),
        *(_short(ablation[part]["recall_at_1"]) for part in ("embedding", "embedding_orb")),
        *(_short(report[name]) for name in ("map", "ndcg_at_5", "coverage")),
        _rate(report, "precision"),
        *(_short(report[name]) for name in ("ambiguous_rate", "auroc", "ece")),
        f"{round(report['false_accept_rate'] * report['negatives'])} of {report['negatives']}"
        if report["negatives"]
        else "-",
    )


def _rate(report: Mapping[str, Any], name: str) -> str:
    return _value(report[name], report[f"{name}_interval"], 3)


def _value(value: float | None, interval: Sequence[float] | None, digits: int) -> str:
    if value is None:
        return "-"
    ends = f" ({interval[0]:.{digits - 1}f}-{interval[1]:.{digits - 1}f})" if interval else ""
    return f"{value:.{digits}f}{ends}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
