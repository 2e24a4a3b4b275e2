"""Results, aims and their tables and plots, and the whole way once with a tiny catalogue."""

import argparse
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks.recognition import session
from benchmarks.recognition.drawn import front_picture
from benchmarks.recognition.report import POOL, Aim, paired_loss, results_of, rounded
from benchmarks.recognition.shops import NEGATIVES, NOTHING, QUERIES, Entry, Photo, Shop, plan_of
from benchmarks.recognition.work import Answers, Workplace
from skuscan_models.artifacts import released_folder
from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design
from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.outcome import QueryOutcome


def outcome(truth: str | None, decision: str, first: str) -> QueryOutcome:
    rankings = dict.fromkeys(("embedding", "embedding_orb"), (first,)) if truth else {}
    return QueryOutcome("q.jpg", truth, decision, (first,), 0.5, (first,), rankings=rankings)


def a_shop(key: str, **asked: tuple[Photo, ...]) -> Shop:
    return Shop(key, key, plan_of([Entry("a", Path("a.jpg"))]), asked)


def test_a_paired_loss_agrees_with_a_worked_example() -> None:
    # 100 queries, 8 lost and 3 won: p = 9/102 and 4/102, the difference 5/102 = 0.0490, its deviation 0.03474.
    before = [True] * 8 + [False] * 3 + [True] * 89
    after = [False] * 8 + [True] * 3 + [True] * 89
    found: Any = paired_loss(before, after)
    assert found["loss"] == pytest.approx(0.05)
    assert found["loss_interval"] == pytest.approx([0.0490 - 1.96 * 0.03500, 0.0490 + 1.96 * 0.03500], abs=2e-3)


def test_an_aim_is_met_at_its_bound_and_not_judged_unmeasured() -> None:
    aim = Aim("few", ("a", "rate"), 0.01, at_most=True)
    assert aim.judge({"a": {"rate": 0.01}}) == {
        "aim": "few",
        "bound": 0.01,
        "measured": 0.01,
        "interval": None,
        "met": True,
    }
    assert (aim.judge({"a": {"rate": 0.02}}) or {})["met"] is False
    assert aim.judge({"b": {}}) is None


def test_pooled_answers_are_counted_together_and_false_accepts_by_their_kind() -> None:
    keys = POOL.split("+")
    shops = [a_shop(key, **{QUERIES: (), NEGATIVES: (), NOTHING: ()}) for key in keys]
    answers = {
        keys[0]: Answers({QUERIES: [outcome("a", "match", "a")], NEGATIVES: [outcome(None, "match", "a")]}, 1.0),
        keys[1]: Answers({QUERIES: [outcome("a", "match", "b")], NOTHING: [outcome(None, "unknown", "a")]}, 1.0),
    }
    results = results_of(shops, answers, keys)
    assert results["sets"][POOL]["recall_at_1"] == 0.5
    assert results["sets"][POOL]["n"] == 2
    assert results["false_accepts"]["negatives"]["worst"] == 1.0
    assert results["false_accepts"]["nothing"]["false_accepts"] == 0
    judged = {aim["aim"]: aim["met"] for aim in results["aims"]}
    assert judged["apc2015 and arc2017 pooled, recall@1 >= 0.93"] is False
    assert judged["false accepts of nothing <= 0.1%"] is True


def test_rounding_reaches_every_number() -> None:
    assert rounded({"a": [0.123456, {"b": (1, 0.98765432)}]}) == {"a": [0.1235, {"b": [1, 0.9877]}]}


def test_operators_accept_the_rate_that_is_asked_for(tmp_path: Path) -> None:
    place = Workplace(tmp_path, tmp_path, tmp_path, released_folder(), false_accept_rate=0.05)
    assert place.config("shop").false_accept_rate == 0.05


def test_the_whole_way_with_a_tiny_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "BUILD", tmp_path / "build")
    products = [design(3, VALIDATION_FAMILIES[number], 0) for number in range(3)]
    fronts = [front_picture(tmp_path / "drawn", product) for product in products]
    shop = Shop(
        "tiny",
        "tiny",
        plan_of(Entry(product.sku, front) for product, front in zip(products, fronts, strict=True)),
        {
            QUERIES: tuple(Photo(front, product.sku) for product, front in zip(products, fronts, strict=True)),
            NEGATIVES: (Photo(0, ""), Photo(2, "")),
        },
    )
    given = argparse.Namespace(only=None, limit=None, model=None, false_accept_rate=None)
    evaluation = session.Session("tiny", "make tiny", tmp_path / "results", tmp_path)
    evaluation.run([shop], given)
    results = json.loads((tmp_path / "results" / "tiny.json").read_text())
    assert results["command"] == "make tiny"
    assert results["sets"]["tiny"]["recall_at_1"] == 1.0
    assert results["sets"]["tiny"]["references"] == 3
    assert results["false_accepts"]["negatives"]["n"] == 2
    assert results["sets"]["tiny"]["time"]["p50_yardsticks"] > 0
    for plot in (tmp_path / "results").glob("*.svg"):
        assert ElementTree.parse(plot).getroot().tag.endswith("svg")
    assert len(list((tmp_path / "results").glob("*.svg"))) == 3
    assert "| tiny | 3 | 3 | **1.000" in (tmp_path / "results" / "tiny.md").read_text()
    assert results["false_accept_rate"] == ServerConfig().false_accept_rate
    given.false_accept_rate = 0.05
    assert evaluation.run([shop], given)["false_accept_rate"] == 0.05
    assert json.loads((tmp_path / "build" / "tiny.json").read_text())["false_accept_rate"] == 0.05
    assert json.loads((tmp_path / "results" / "tiny.json").read_text()) == results
