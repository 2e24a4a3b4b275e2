"""Make the Python code of `proto/skuscan/v1/*.proto`, or check that the committed code is fresh.

    python tools/generate_proto.py            # writes edge/src/skuscan/proto/
    python tools/generate_proto.py --check    # exits 1 and names what is stale

The compiler comes with grpcio-tools (pinned in requirements.txt). Its `import skuscan.v1...` lines are rewritten, so
that the generated modules live inside the package and need no entry on sys.path.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "proto"
TARGET = ROOT / "edge" / "src" / "skuscan" / "proto"


def generate() -> dict[str, str]:
    """Compile every .proto: file name in `skuscan/proto/` -> text."""
    protos = sorted(str(p.relative_to(SOURCE)) for p in SOURCE.glob("skuscan/v1/*.proto"))
    with tempfile.TemporaryDirectory() as out:
        include = str(Path(grpc_tools.__file__).parent / "_proto")
        status = protoc.main(
            ["protoc", f"-I{SOURCE}", f"-I{include}", f"--python_out={out}", f"--pyi_out={out}", *protos]
        )
        if status:
            raise SystemExit(status)
        made = sorted(Path(out).glob("skuscan/v1/*_pb2.py*"))
        return {p.name: re.sub(r"from skuscan\.v1 import", "from skuscan.proto import", p.read_text()) for p in made}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the committed code is stale")
    check = parser.parse_args().check
    stale = [name for name, text in generate().items() if not _same(TARGET / name, text)]
    if check and stale:
        print(f"stale generated code: {', '.join(stale)}; run `make proto`", file=sys.stderr)
        return 1
    for name, text in generate().items() if stale else ():
        (TARGET / name).write_text(text)
    return 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
