"""What holds for every file of the checkout and no tool of `make lint` checks."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CODE = ("edge/src", "server/src", "models", "export/src", "tools", "tests", "benchmarks")
LONGEST_FUNCTION = 60  # lines
LONGEST_FILE = 400  # lines


@pytest.fixture(scope="module")
def sources(project_root: Path) -> dict[str, str]:
    """Every Python file that people write, by its path in the checkout."""
    files = [path for folder in CODE for path in (project_root / folder).rglob("*.py")]
    written = [path for path in files if not path.name.endswith("_pb2.py") and "build" not in path.parts]
    assert written
    return {str(path.relative_to(project_root)): path.read_text() for path in written}


def test_no_file_is_longer_than_a_reader_keeps_in_mind(sources):
    lines = {path: text.count("\n") for path, text in sources.items()}
    assert {path: n for path, n in lines.items() if n > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen(sources):
    functions = {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in functions.items() if n > LONGEST_FUNCTION} == {}


def test_the_generated_protobuf_code_is_fresh(project_root: Path):
    check = subprocess.run(
        [sys.executable, project_root / "tools" / "generate_proto.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stderr
