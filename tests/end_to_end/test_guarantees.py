"""Every promise has a test that would falsify it."""

import ast
from pathlib import Path

import pytest

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
