"""Every promise has a test that would falsify it."""

import ast
import json
from pathlib import Path

import pytest

from tools.guarantee_figures import PAGE, RESULTS, rendered

PROMISES = {f"G{number}" for number in range(1, 27)}


def guarantees(path: Path) -> set[str]:
    """The ids of the promises that a file's tests carry."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {
        argument.value
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "guarantee"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


@pytest.fixture(scope="module")
def kept(project_root: Path) -> set[str]:
    return set().union(*(guarantees(path) for path in (project_root / "tests").rglob("test_*.py")))


def test_every_promise_has_a_test(kept: set[str]) -> None:
    assert sorted(PROMISES - kept) == []


def test_no_test_carries_a_promise_that_is_not_made(kept: set[str]) -> None:
    assert sorted(kept - PROMISES) == []


def test_the_page_of_promises_shows_the_figures_of_the_results() -> None:
    page = PAGE.read_text()
    assert page == rendered(page, json.loads(RESULTS.read_text()))


def test_the_page_of_promises_names_each_of_them() -> None:
    rows = [line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("| G")]
    assert set(rows) == PROMISES
